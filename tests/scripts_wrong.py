"""What is not recognised rightly today in the scripts of ``tests/scripts``: script -> aspect -> what is wrong.

Each is a strict xfail of ``test_scripts_truth.py``: whoever mends it takes the entry out.
"""

from __future__ import annotations

WRONG: dict[str, dict[str, str]] = {
    "operand_grad_none": {
        "graph": "other backward passes than the script's",
    },
    "operand_float32": {
        "attention": "other rows than the script's",
        "tokens": "positions are missing or invented",
        "optimizer": "the optimizer's numbers are not found",
    },
    "softmax_eps": {
        "attention": "other rows than the script's",
        "tokens": "positions are missing or invented",
    },
    "softmax_value_shift": {
        "attention": "other rows than the script's",
        "samples": "the texts are not those that it prints",
    },
    "softmax_exp_of_log": {
        "attention": "other rows than the script's",
        "tokens": "positions are missing or invented",
    },
    "softmax_log_eps": {
        "tokens": "positions are missing or invented",
    },
    "softmax_tree": {
        "attention": "other rows than the script's",
        "tokens": "positions are missing or invented",
    },
    "softmax_unshifted_divided": {
        "graph": "other backward passes than the script's",
        "attention": "other rows than the script's",
        "tokens": "positions are missing or invented",
    },
    "weights_tuple_keys": {
        "attention": "other rows than the script's",
        "tokens": "another distribution, target or loss",
        "weights": "a matrix is not found",
        "samples": "the texts are not those that it prints",
    },
    "weights_flat": {
        "attention": "other rows than the script's",
        "tokens": "another distribution, target or loss",
        "weights": "a matrix is not found",
        "samples": "the texts are not those that it prints",
    },
    "weights_row_objects": {
        "attention": "other rows than the script's",
        "tokens": "another distribution, target or loss",
        "weights": "a matrix is not found",
        "samples": "the texts are not those that it prints",
    },
    "position_rope_read": {
        "attention": "other rows than the script's",
    },
    "position_none": {
        "samples": "the texts are not those that it prints",
    },
    "position_sinusoid": {
        "samples": "the texts are not those that it prints",
    },
    "position_alibi": {
        "samples": "the texts are not those that it prints",
    },
    "heads_latent": {
        "attention": "other rows than the script's",
    },
    "optimizer_pairs": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_by_id": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_by_matrix": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_by_name": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_on_the_value": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_rebuilt": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_one_more_value": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "optimizer_frozen": {
        "optimizer": "the optimizer's numbers are not found",
    },
    "loop_nested": {
        "optimizer": "no recorded step has the losses of the script's step",
        "samples": "the texts are not those that it prints",
    },
    "loop_evaluation": {
        "attention": "other rows than the script's",
    },
    "draw_k1": {
        "samples": "the texts are not those that it prints",
    },
    "draw_alias": {
        "samples": "the texts are not those that it prints",
    },
    "draw_cumulative": {
        "samples": "the texts are not those that it prints",
    },
    "draw_cum_weights": {
        "samples": "the texts are not those that it prints",
    },
    "draw_argmax": {
        "samples": "the texts are not those that it prints",
    },
    "draw_top_k": {
        "samples": "the texts are not those that it prints",
    },
    "vocabulary_chr": {
        "samples": "the texts are not those that it prints",
    },
    "vocabulary_object": {
        "samples": "the texts are not those that it prints",
    },
    "vocabulary_syllables": {
        "samples": "the texts are not those that it prints",
    },
    "vocabulary_mapping": {
        "samples": "the texts are not those that it prints",
    },
    "vocabulary_bytes": {
        "samples": "the texts are not those that it prints",
    },
    "operand_one_operator": {
        "tokens": "no training step is found",
        "samples": "the texts are not those that it prints",
    },
    "operand_times_only": {
        "tokens": "no training step is found",
        "samples": "the texts are not those that it prints",
    },
    "module_in_folder": {
        "verify": "no autograd class found",
        "output": "ends otherwise than under plain Python",
        "graph": "no training step is found",
        "attention": "no training step is found",
        "tokens": "no training step is found",
        "weights": "no training step is found",
        "optimizer": "no training step is found",
        "samples": "the texts are not those that it prints",
    },
    "module_by_path": {
        "verify": "no autograd class found",
        "output": "ends otherwise than under plain Python",
        "graph": "no training step is found",
        "attention": "no training step is found",
        "tokens": "no training step is found",
        "weights": "no training step is found",
        "optimizer": "no training step is found",
        "samples": "the texts are not those that it prints",
    },
    "package_with_m": {
        "all": "no way in: -m MODULE",
    },
    "package_with_main": {
        "all": "no way in: -m MODULE",
    },
    "standard_input": {
        "all": "no way in: standard input",
    },
    "asks_first": {
        "all": "no way in: standard input",
    },
    "notebook": {
        "all": "no way in: a notebook",
    },
}
