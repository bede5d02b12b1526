from __future__ import annotations

import logging
import socket

import pytest

from emotemporal.cli import main
from emotemporal.live.serve.config import LimitsConfig, ServeConfig, settle_token
from emotemporal.live.serve.run import address, listen, serve

TOKEN = "a-token-of-enough-letters"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "give a token as well"),
        ({"host": "192.168.1.5"}, "give a token as well"),
        ({"allowed_hosts": "faces.example.org"}, "give a token as well"),
        ({"token": "short"}, "16 to 128 letters"),
        ({"token": TOKEN, "token_file": "x"}, "one of them"),
        ({"keyfile": "key.pem"}, "without a certfile"),
        ({"port": 70000}, "1 to 65535"),
        ({"workers": 0}, "at least 1"),
        ({"prior": "training", "max_lag": -1.0}, "above 0"),
    ],
)
def test_what_would_leave_the_door_open_or_nothing_working_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ServeConfig(**options)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host):
    assert settle_token(ServeConfig(host=host)) is None


def test_limits_are_above_zero():
    with pytest.raises(ValueError, match="max_connections is 0"):
        LimitsConfig(max_connections=0)


def test_a_token_is_drawn_or_read(tmp_path):
    first, second = (settle_token(ServeConfig(host="0.0.0.0", token="auto")) for _ in range(2))
    assert first != second
    assert len(first) >= 20
    file = tmp_path / "token"
    with pytest.raises(FileNotFoundError, match="no such token file"):
        settle_token(ServeConfig(token_file=str(file)))
    file.write_text("two words\n")
    with pytest.raises(ValueError, match="nothing else"):
        settle_token(ServeConfig(token_file=str(file)))
    file.write_text(TOKEN + "\n")
    assert settle_token(ServeConfig(token_file=str(file))) == TOKEN


def test_the_link_keeps_the_token_where_no_log_sees_it():
    config = ServeConfig(host="0.0.0.0", token=TOKEN, certfile="a.pem")
    assert address(config, 8765, TOKEN) == f"https://{socket.gethostname()}:8765/#token={TOKEN}"
    assert address(ServeConfig(host="::1"), 80, None) == "http://[::1]:80/"


def test_a_taken_port_is_told(capsys):
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    told = capsys.readouterr().err
    assert "cannot listen on 127.0.0.1" in told
    assert "--port" in told


def test_a_missing_certificate_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="HTTPS needs it"):
        serve(ServeConfig(certfile=str(tmp_path / "no.pem")))


def test_without_the_extra_the_command_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(
        "emotemporal.live.serve.run.importlib.util.find_spec",
        lambda name: None if name == "uvicorn" else name,
    )
    assert main(["serve"]) == 1
    assert "pip install 'emotemporal[web]'" in capsys.readouterr().err


def test_it_says_where_the_page_is_and_that_nothing_is_kept(tiny_checkpoint, monkeypatch, caplog):
    served = []
    monkeypatch.setattr(
        "uvicorn.Server.run", lambda server, sockets: served.append(sockets[0].getsockname()[1])
    )
    caplog.set_level(logging.INFO)
    serve(ServeConfig(host="0.0.0.0", port=0, token=TOKEN, checkpoint=str(tiny_checkpoint)))
    assert f":{served[0]}/#token={TOKEN}" in caplog.text
    assert "nothing that is sent to it is kept" in caplog.text
    assert "without --certfile" in caplog.text
