"""What all tests of the classifier share: one thread, as Heard serves and trains."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Threads that wait for each other make small networks hundreds of times slower on a busy machine."""
    torch.set_num_threads(1)
