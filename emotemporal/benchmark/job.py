"""`benchmark`: which one, and its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from emotemporal.benchmark.report import OutputConfig, Report, finish, read_medians
from emotemporal.config import parse_config

KINDS = ("live", "encoder", "decode", "data", "train")
_SHORT = {"--json": "--output.json", "--compare": "--output.compare"}
_RECOGNISE = {
    f"--{name}": f"--recognise.{name}"
    for name in ("checkpoint", "engine", "num_threads", "max_faces")
}


HELP = """usage: emotemporal benchmark KIND [--config FILE.yaml] [--option value ...]

  live     a video through the live path: milliseconds a stage, frames a second, delays, switches
  encoder  one step of every engine, by faces at once and threads, beside the machine's limits
  decode   each video backend: all frames, and a few of them
  data     images a second of the loader: from files, from memory, from a pack
  train    images a second of training: the same, and on batches made before

Each takes --json FILE and --compare FILE; 'emotemporal benchmark live --help' lists the rest."""


def benchmark(words: Sequence[str]) -> str:
    """Run the benchmark that the first word names; return its table.

    Raises:
        ValueError: There is no such benchmark, its options are wrong, or the run to compare with is
            another kind's.
        OSError: The run to compare with cannot be read.
    """
    if not words or words[0] not in KINDS:
        found = f"{words[0]!r} is no benchmark." if words else "benchmark what?"
        raise ValueError(f"{found} There are {', '.join(KINDS)}: 'emotemporal benchmark live'")
    kind = words[0]
    short = _SHORT | (_RECOGNISE if kind == "live" else {})
    measure, output = _prepared(kind, [_write_out(word, short) for word in words[1:]])
    if output.compare is not None:
        read_medians(Path(output.compare), kind)  # refused before minutes are spent on measuring
    return finish(measure(), output)


def _prepared(kind: str, words: Sequence[str]) -> tuple[Callable[[], Report], OutputConfig]:
    """Import what one benchmark needs, and no more: `live` does without torch."""
    name = f"emotemporal benchmark {kind}"
    if kind == "live":
        from emotemporal.benchmark.live import LiveBenchmarkConfig, benchmark_live

        live = parse_config(LiveBenchmarkConfig, words, name)
        return partial(benchmark_live, live), live.output
    if kind == "encoder":
        from emotemporal.benchmark.encoder import EncoderBenchmarkConfig, benchmark_encoder

        encoder = parse_config(EncoderBenchmarkConfig, words, name)
        return partial(benchmark_encoder, encoder), encoder.output
    if kind == "decode":
        from emotemporal.benchmark.decode import DecodeBenchmarkConfig, benchmark_decode

        decode = parse_config(DecodeBenchmarkConfig, words, name)
        return partial(benchmark_decode, decode), decode.output
    from emotemporal.benchmark.images import ImagesBenchmarkConfig, benchmark_data, benchmark_train

    images = parse_config(ImagesBenchmarkConfig, words, name)
    measure = benchmark_data if kind == "data" else benchmark_train
    return partial(measure, images), images.output


def _write_out(word: str, short: dict[str, str]) -> str:
    name, equals, value = word.partition("=")
    return f"{short.get(name, name)}{equals}{value}"
