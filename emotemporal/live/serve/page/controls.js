// The smoother and the one number that goes with it.
const $ = (id) => document.getElementById(id);

export class Controls {
  /** `chosen` is called with each new choice. */
  constructor(chosen) {
    this.chosen = chosen;
    this.offered = [];
    $("smoother").onchange = () => { this.showAmount(); chosen(this.choice); };
    $("amount").oninput = () => this.showValue();
    $("amount").onchange = () => chosen(this.choice);
  }

  show(offered) {
    this.offered = offered;
    $("smoother").replaceChildren(...offered.map((control) => new Option(control.title, control.name)));
    this.showAmount();
  }

  showAmount() {
    const { says, low, high, step, value } = this.control;
    $("amount-row").hidden = !says;
    Object.assign($("amount"), { min: low, max: high, step, value });
    $("amount-says").textContent = says;
    this.showValue();
  }

  showValue() {
    $("amount-value").value = `${$("amount").value} ${this.control.unit}`;
  }

  /** Say how long a change takes to show, where that was measured. */
  tell({ told, lag_s, missed_share }) {
    $("lag").textContent = lag_s === null
      ? `Set to ${told}. How far it lags was not measured for this network.`
      : `Measured for this network: half of all changes show within ${lag_s} s, ${Math.round(100 * missed_share)} % never do.`;
  }

  get control() {
    return this.offered.find((control) => control.name === $("smoother").value);
  }

  get choice() {
    return { name: this.control.name, value: Number($("amount").value) };
  }
}

export function showLabels(labels) {
  $("labels").replaceChildren(...labels.filter((label) => !label.hidden).map((label) => {
    const item = document.createElement("li"), swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = label.colour;
    item.append(swatch, label.name);
    return item;
  }));
  $("weak-note").hidden = !labels.some((label) => label.weak && !label.hidden);
}
