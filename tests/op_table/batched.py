"""What `vmap` is tested with beyond the rows: operators of layers, and forms in place."""

from __future__ import annotations

from typing import Any

import tapegrad as tg

F = tg.nn.functional
# What is called, and the shapes of a sample of its arguments.
MORE: dict[str, tuple[Any, ...]] = {
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, padding=1), (2, 3, 6), (4, 3, 3), (4,)),
    "conv1d of one image": (lambda x, w: F.conv1d(x, w, stride=2), (3, 6), (4, 3, 3)),
    "conv2d": (F.conv2d, (2, 3, 6, 5), (4, 3, 3, 2), (4,)),
    "conv2d in groups": (
        lambda x, w, b: F.conv2d(x, w, b, groups=2, dilation=2), (2, 4, 6, 5), (6, 2, 2, 2), (6,)
    ),
    "conv2d of one image": (lambda x, w, b: F.conv2d(x, w, b), (3, 6, 5), (4, 3, 3, 2), (4,)),
    "conv3d": (F.conv3d, (2, 1, 3, 4, 3), (2, 1, 2, 2, 2), (2,)),
    "conv_transpose1d": (F.conv_transpose1d, (2, 3, 6), (3, 4, 3), (4,)),
    "conv_transpose2d": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, groups=2), (2, 4, 3, 3), (4, 3, 2, 2), (6,)
    ),
    "conv_transpose of one": (lambda x, w: F.conv_transpose1d(x, w), (3, 6), (3, 4, 3)),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2), (2, 3, 6)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2, return_indices=True), (2, 3, 6, 4)),
    "max_pool2d of one": (lambda x: F.max_pool2d(x, 2), (3, 6, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 1, 1), (2, 3, 6, 4)),
    "avg_pool3d": (lambda x: F.avg_pool3d(x, 2), (2, 3, 4, 4, 4)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)), (2, 3, 6, 4)),
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x, 2), (2, 3, 6)),
    "max_unpool1d": (lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), (2, 3, 6)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), value=3.0), (2, 3, 6)),
    "reflection": (lambda x: F.pad(x, (1, 2), mode="reflect"), (2, 3, 6)),
    "replication": (lambda x: F.pad(x, (1, 2, 1, 1), mode="replicate"), (3, 6, 4)),
    "circular": (lambda x: F.pad(x, (1, 2), mode="circular"), (2, 3, 6)),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (2, 3, 4, 4)),
    "unfold": (lambda x: F.unfold(x, 2), (2, 3, 4, 4)),
    "fold": (lambda x: F.fold(x, (4, 4), 2), (2, 12, 9)),
    "pixel_shuffle": (lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), (2, 4, 3, 3)),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), (2, 4, 3, 3)),
    "attention": (F.scaled_dot_product_attention, (2, 3, 4), (2, 5, 4), (2, 5, 4)),
    "causal attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), (3, 4), (3, 4), (3, 4)
    ),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (4,), w, b), (2, 3, 4), (4,), (4,)),
    "rms_norm": (lambda x, w: F.rms_norm(x, (3, 4), w), (2, 3, 4), (3, 4)),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), (5, 4, 3), (4,), (4,)
    ),
    "batch_norm of evaluation": (
        lambda x, m, v, w: F.batch_norm(x, m, v.abs() + 1, w), (5, 4), (4,), (4,), (4,)
    ),
    "instance_norm": (lambda x, w, b: F.instance_norm(x, None, None, w, b), (2, 4, 3), (4,), (4,)),
    "linear": (F.linear, (2, 3), (4, 3), (4,)),
    "linear of a vector": (F.linear, (3,), (4, 3), (4,)),
    "linear of many": (lambda x, w: F.linear(x, w), (2, 5, 3), (4, 3)),
    "bilinear": (F.bilinear, (2, 3), (2, 4), (5, 3, 4), (5,)),
    "embedding": (lambda w: F.embedding(tg.tensor([[1, 0, 2]]), w), (4, 3)),
    "padded embedding": (lambda w: F.embedding(tg.tensor([1, 0]), w, padding_idx=1), (4, 3)),
    "lstm_cell": (lambda x, h, c, w, v: tg._C.lstm_cell(x, (h, c), w, v), (2, 3), (2, 2), (2, 2), (8, 3), (8, 2)),
    "gru": (lambda x, h, w, v: tg._C.gru(x, h, [w, v], False, 1, 0.0, False, False, False), (4, 2, 3), (1, 2, 2), (6, 3), (6, 2)),
    "einsum": (lambda x, y: tg.einsum("ij,jk->ki", x, y), (2, 3), (3, 4)),
    "einsum with dots": (lambda x, y: tg.einsum("...ij,...jk", x, y), (5, 2, 3), (3, 4)),
    "addcmul": (lambda x, y, z: tg.addcmul(x, y, z, value=2), (2, 3), (3,), ()),
    "norms": (
        lambda x: [x.norm(), x.norm(1, 0), tg.linalg.norm(x), tg.linalg.norm(x, 2), tg.linalg.matrix_norm(x),
                   tg.linalg.vector_norm(x, 3, 1, True), tg.linalg.norm(x, "nuc"), x.norm(keepdim=True)],
        (3, 4),
    ),
    "likes": (
        lambda x: [tg.zeros_like(x), x.new_zeros(2), x.new_full((2, 1), 3), tg.full_like(x, 2), x.new_ones(2, 3)],
        (3,),
    ),
    "conversions": (lambda x: [x.float(), x.long(), x.to(tg.float32), x.bool(), x.type_as(tg.ones(1)), x.double()], (3,)),
    "writes": (lambda x, y: [x.clone().add_(y), x.clone().mul_(2).sin_(), x.clone().copy_(y), x.clone().fill_(2),
                             x.clone().zero_(), x.clone().clamp_(min=0), x.clone().masked_fill_(x > 0, 1),
                             x.clone().addmm_(x[:, :2], x)], (2, 3), (3,)),
    "forms in place": (lambda x: [x.clone().unsqueeze_(1), x.clone().t_(), x.clone().transpose_(0, 1).mul_(2),
                                  x.clone().unsqueeze_(0).squeeze_(0)], (2, 3)),
    "copies of views": (lambda x: [tg.view_copy(x, (3, 2)), tg.expand_copy(x, (2, 2, 3)), tg.permute_copy(x, (1, 0)),
                                   tg.select_copy(x, 0, 1), tg.slice_copy(x, 1, 0, 2), tg.unbind_copy(x, 1),
                                   tg.split_copy(x, 2, 1), tg.squeeze_copy(x), tg.t_copy(x), tg.unfold_copy(x, 1, 2, 1),
                                   tg.diagonal_copy(x), tg.alias_copy(x)], (2, 3)),
    "attributes": (lambda x: [x.T, x.mT, x.data, x.real, x.cpu(), x.contiguous()], (2, 3)),
    "losses": (
        lambda x, y: [F.mse_loss(x, y), F.l1_loss(x, y, reduction="sum"), F.smooth_l1_loss(x, y), F.huber_loss(x, y),
                      F.kl_div(x, y.exp()), F.binary_cross_entropy_with_logits(x, y.sigmoid(), reduction="sum"),
                      F.binary_cross_entropy(x.sigmoid(), y.sigmoid()), F.cosine_similarity(x, y),
                      F.gaussian_nll_loss(x, y, y.exp()), F.margin_ranking_loss(x, y, y.sign()),
                      F.cross_entropy(x, tg.tensor([1, 0])), F.cross_entropy(x, y.softmax(1), label_smoothing=0.1),
                      F.nll_loss(x, tg.tensor([1, -100])), F.cross_entropy(x, tg.tensor([1, 0]), tg.tensor([1.0, 2.0, 3.0]).double())],
        (2, 3), (2, 3),
    ),
}
