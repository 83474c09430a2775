"""Names of the core without a row: where they are tested, or why they are no operators."""

from __future__ import annotations

# They make tensors from nothing, draw numbers, or convert: there is no input to vary.
ELSEWHERE: dict[str, str] = {
    name: file
    for file, names in {
        "test_creation.py": (
            "zeros ones full empty eye arange linspace logspace tensor item tolist apply_ "
            "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty new_tensor"
        ),
        "test_random.py": (
            "rand randn randint randperm rand_like randn_like randint_like normal bernoulli multinomial "
            "uniform_ normal_ bernoulli_ random_"
        ),
        "test_dtypes.py": "bool byte int long float double type type_as",
        "test_numpy.py": "as_tensor from_numpy from_dlpack frombuffer numpy",
        "test_inplace.py": "zero_ fill_ copy_ detach_",
        "test_views.py": "as_strided set_",
    }.items()
    for name in names.split()
}

# What is bound beside the operators, by reason.
NOT_OPERATORS: dict[str, str] = {
    "attributes of a tensor": (
        "shape size dim ndim ndimension numel nelement stride storage_offset is_contiguous dtype "
        "itemsize element_size nbytes is_floating_point is_complex device cpu is_cpu is_cuda is_sparse "
        "data data_ptr"
    ),
    "rules about dtypes and shapes": (
        "promote_types result_type can_cast get_default_dtype set_default_dtype broadcast_shapes"
    ),
    "the tape": (
        "backward grad grad_fn output_nr is_leaf requires_grad requires_grad_ retain_grad retains_grad "
        "register_hook register_post_accumulate_grad_hook is_grad_enabled is_inference "
        "is_inference_mode_enabled is_anomaly_enabled is_anomaly_check_nan_enabled"
    ),
    "the state of the process": (
        "get_num_threads set_num_threads empty_cache reset_peak_memory "
        "manual_seed seed initial_seed get_rng_state set_rng_state"
    ),
}
