"""What is said when another process of a training is gone."""

import pytest
from torch.distributed import DistStoreError

from wsed.cli.lost import lost
from wsed.cli.messages import user_error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 8000ms for recv operation", "(waited 8 s)"),
        (
            "[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1",
            "has ended or its machine is gone",
        ),
        (
            "The server socket has failed to listen. port: 29500, name: EADDRINUSE",
            "port 29500 of this machine is in use",
        ),
        ("NCCL error: remote process exited or there was a network error", "has ended or its machine is gone"),
    ],
)
def test_errors_of_torch_in_plain_words(text, said):
    assert said in str(user_error(RuntimeError(text)))


def test_a_process_that_never_began_is_told():
    error = DistStoreError("Timed out after 9 seconds waiting for clients. 1/2 clients joined.")
    assert "does not answer (waited 9 s)" in str(user_error(error))


def test_other_errors_stay():
    assert lost(ValueError("gloo: Connection closed")) is None
    assert lost(RuntimeError("the disk was closed; connection reset")) is None
