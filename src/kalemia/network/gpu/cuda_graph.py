"""Work on a GPU, recorded once and replayed.

A step of training starts some five hundred kernels, and starting them one by one takes the processor longer than they
take the GPU. A CUDA graph starts all of them at once.
"""

from collections.abc import Callable

import torch
from torch import Tensor


class CudaGraphed:
    """A function of tensors on a GPU that is recorded at its second call with arguments of the same shapes.

    The first call runs as it is, while libraries choose their kernels; from the second on it is replayed. What the
    function reads or changes beside its arguments must stay where it is in memory. What it returns holds until the next
    call.
    """

    def __init__(self, function: Callable[..., Tensor | None]):
        self.function = function
        self.recordings: dict[tuple, tuple | None] = {}
        self.stream, self.memory = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def __call__(self, *given: Tensor) -> Tensor | None:
        shapes = tuple(tensor.shape for tensor in given)
        if shapes not in self.recordings:
            self.recordings[shapes] = None
            return self._run_uncaptured(given)
        if self.recordings[shapes] is None:
            self.recordings[shapes] = self._capture(given)
        graph, places, result = self.recordings[shapes]
        for place, tensor in zip(places, given, strict=True):
            place.copy_(tensor)
        graph.replay()
        return result

    def _run_uncaptured(self, given: tuple[Tensor, ...]) -> Tensor | None:
        """On another stream than the default one, on which nothing that will be recorded may have begun."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = self.function(*given)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def _capture(self, given: tuple[Tensor, ...]) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor | None]:
        places = [tensor.clone() for tensor in given]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.memory, stream=self.stream):
            result = self.function(*places)
        return graph, places, result
