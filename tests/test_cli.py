import pytest

from emotemporal.cli import expand, introduce, main
from emotemporal.commands import COMMANDS


def test_help_lists_every_command_and_what_a_label_means(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)
    assert "not what a\nperson feels" in told


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    assert main(["fly"]) == 2
    told = capsys.readouterr().err
    assert "no command 'fly'" in told
    assert "pretrain" in told


def test_a_mistyped_command_is_told_last_with_what_was_meant(capsys):
    assert main(["evalute"]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == "there is no command 'evalute'; did you mean evaluate?"


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("emotemporal ")


@pytest.mark.parametrize(
    ("command", "words", "expanded"),
    [
        ("doctor", ["savee", "--root", "x"], ["--data.name", "savee", "--data.root", "x"]),
        ("evaluate", ["--dataset=ferplus"], ["--data.name=ferplus"]),
        ("predict", ["a.mp4", "b.png"], ["--paths+=a.mp4", "--paths+=b.png"]),
        ("live", ["--source", "0"], ["--source", "0"]),
        ("live", ["film.mp4", "--csv", "a.csv"], ["--source", "film.mp4", "--csv", "a.csv"]),
        ("pretrain", ["--seed", "3"], ["--seed", "3"]),
    ],
)
def test_short_words_stand_for_long_options(command, words, expanded):
    assert expand(words, COMMANDS[command]) == expanded


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_explains_its_options(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert "--config" in told
    assert COMMANDS[command].summary in " ".join(told.split())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("doctor", "'doctor WORD' is short for 'doctor --data.name WORD'"),
        ("doctor", "`data.` may be left out: --root, --layout,"),
        ("evaluate", "--dataset is short for --data.name"),
        ("streams", "`stills.` may be left out: --split, --part, --twin_free_of."),
        ("predict", "'predict WORD' is short for 'predict --paths WORD'"),
    ],
)
def test_help_tells_the_short_forms(command, said):
    assert said in " ".join(introduce(command, COMMANDS[command]).split())


def test_what_has_no_short_forms_tells_none():
    assert introduce("demo", COMMANDS["demo"]).count("\n") == 0
    assert "--set" not in introduce("ablate", COMMANDS["ablate"])


def test_what_a_user_got_wrong_is_one_message_without_a_stack_trace(capsys, tmp_path):
    assert main(["doctor", "savee", "--root", str(tmp_path / "nowhere")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "nowhere" in told
    assert "Traceback" not in told


def test_what_the_system_refuses_is_told_by_the_name_that_was_given(capsys, tmp_path, monkeypatch):
    def refuse(**_where):
        raise PermissionError(13, "Permission denied", str(tmp_path / ".part"))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    (tmp_path / "a.avi").write_bytes(b"")
    table = tmp_path / "table.csv"
    assert main(["predict", str(tmp_path / "a.avi"), "--csv", str(table)]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"error: {table}: Permission denied"


def test_a_checkpoint_is_asked_for_where_none_ships(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("emotemporal.weights.files", lambda package: tmp_path)
    film = tmp_path / "a.mp4"
    film.write_bytes(b"")
    assert main(["live", "--source", str(film)]) == 1
    assert "--checkpoint" in capsys.readouterr().err


def test_doctor_says_by_its_exit_code_that_a_data_set_is_unusable(capsys, tmp_path):
    folder = tmp_path / "AudioVisualClip" / "DC"
    folder.mkdir(parents=True)
    (folder / "s1.avi").write_bytes(b"nothing")
    assert main(["doctor", "savee", "--root", str(tmp_path), "--show_progress", "false"]) == 2
    assert "s1.avi" in capsys.readouterr().out


def test_doctor_draws_a_batch_into_the_file_that_is_named(affectnet_root, capsys, tmp_path):
    picture = tmp_path / "batch.png"
    words = ["affectnet", "--root", str(affectnet_root), "--show", "6", str(picture)]
    assert main(["doctor", *words, "--show_progress", "false", "--workers", "1"]) == 0
    assert picture.stat().st_size > 1000
