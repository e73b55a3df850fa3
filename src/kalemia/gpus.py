"""Which GPUs a job may use: none, unless its rule or the profile asked for one."""

import os


def hide_gpus_not_asked_for(n_asked: int) -> None:
    """With none asked for, this process sees none; to be called before torch looks for them.

    Not every cluster hides the GPUs that a job was not given, and a workstation hides none.
    """
    if not n_asked:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
