"""Adam without PyTorch's compiler."""

import inspect

import torch


class Adam(torch.optim.Adam):
    """torch.optim.Adam, whose methods load `torch._dynamo`: a second at the start, and 75 MB.

    They load it to say that the compiler shall not enter them. Here the functions inside are
    called; no part of a run compiles its optimizer.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Adam.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Adam.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
