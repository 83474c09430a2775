"""Names of the core without a row: where they are tested, or why they are no operators."""

from __future__ import annotations

# They make tensors from nothing, draw numbers, or convert: there is no input to vary.
ELSEWHERE: dict[str, str] = {
    name: file
    for file, names in {
        "test_creation.py": (
            "zeros ones full empty eye arange linspace logspace tensor item tolist apply_ "
            "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty new_tensor "
            "asarray scalar_tensor empty_strided empty_permuted range new_empty_strided tril_indices triu_indices"
        ),
        "test_random.py": (
            "rand randn randint randperm rand_like randn_like randint_like normal bernoulli multinomial "
            "uniform_ normal_ bernoulli_ random_"
        ),
        "test_sampling.py": (
            "poisson binomial exponential_ geometric_ cauchy_ log_normal_ _standard_gamma _sample_dirichlet "
            "_standard_gamma_grad _dirichlet_grad"
        ),
        "test_dtypes.py": "bool byte char short int long half bfloat16 float double type type_as",
        "test_linalg.py": "linalg_norm linalg_vector_norm linalg_matrix_norm",
        "test_numpy.py": "as_tensor from_numpy from_dlpack frombuffer numpy",
        "test_inplace.py": (
            "zero_ fill_ copy_ detach_ resize_ resize_as_ as_strided_ swapaxes_ "
            "addmm_ addmv_ addr_ baddbmm_ addbmm_ eq_ ne_ lt_ le_ gt_ "
            "ge_ logical_and_ logical_or_ logical_xor_ logical_not_"
        ),
        "test_special.py": "polygamma_ float_power_",
        "test_activations.py": "elu_ leaky_relu_",
        "test_view_copies.py": (
            "alias_copy as_strided_copy detach_copy diagonal_copy expand_copy permute_copy select_copy "
            "slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy "
            "unfold_copy unsqueeze_copy view_copy"
        ),
        "test_views.py": "as_strided set_",
        "test_convolution.py": (
            "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"
        ),
        "test_images.py": (
            "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
            "max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_max_pool1d "
            "adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
            "adaptive_avg_pool3d max_unpool1d max_unpool2d max_unpool3d constant_pad_nd "
            "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
            "replication_pad3d circular_pad upsample im2col col2im pixel_shuffle pixel_unshuffle "
            "channel_shuffle"
        ),
        "test_recurrent.py": (
            "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell"
        ),
        "test_attention.py": "scaled_dot_product_attention",
        "test_embedding.py": "embedding embedding_renorm_",
    }.items()
    for name in names.split()
}

# Bound like operators, but questions about a tensor or a dtype: tested in files of their own.
NOT_OPERATORS: dict[str, str] = {
    "attributes of a tensor": (
        "size dim ndimension numel nelement stride storage_offset is_contiguous element_size "
        "is_floating_point is_complex data_ptr"
    ),
    "rules about dtypes and shapes": ("promote_types result_type can_cast broadcast_shapes"),
    "the tape": ("requires_grad_ is_inference"),
}
