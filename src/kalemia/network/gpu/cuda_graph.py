"""CUDA graphs: record work on a GPU once, then replay it.

A training step launches about five hundred kernels. Launching them one by one takes the CPU longer than the GPU needs
to run them; a CUDA graph launches all of them at once.
"""

from collections.abc import Callable

import torch
from torch import Tensor


class CudaGraphed:
    """A function of GPU tensors that is captured as a CUDA graph, once per combination of argument shapes.

    The first call with new shapes runs normally, so that libraries can choose their kernels. The second call captures
    a graph, and later calls replay it. Other tensors that the function reads or writes must keep their memory address.
    The result is valid until the next call.
    """

    def __init__(self, function: Callable[..., Tensor | None]):
        self.function = function
        self.captures: dict[tuple, tuple | None] = {}
        self.stream, self.memory = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def __call__(self, *arguments: Tensor) -> Tensor | None:
        shapes = tuple(tensor.shape for tensor in arguments)
        if shapes not in self.captures:
            self.captures[shapes] = None
            return self._run_uncaptured(arguments)
        if self.captures[shapes] is None:
            self.captures[shapes] = self._capture(arguments)
        graph, static_inputs, result = self.captures[shapes]
        for static_input, tensor in zip(static_inputs, arguments, strict=True):
            static_input.copy_(tensor)
        graph.replay()
        return result

    def _run_uncaptured(self, arguments: tuple[Tensor, ...]) -> Tensor | None:
        """Run on a side stream: what is captured later must not have run on the default stream."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = self.function(*arguments)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def _capture(self, arguments: tuple[Tensor, ...]) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor | None]:
        static_inputs = [tensor.clone() for tensor in arguments]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.memory, stream=self.stream):
            result = self.function(*static_inputs)
        return graph, static_inputs, result
