"""What PyTorch answers: functions and methods in Python that are beside the operators, and forms of
operators that few programs use.

Each line of a group is run on both; results are compared as they print, errors and warnings by
their text.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises

DIFFERENCES = r"""
lib.diff(x)
lib.diff(x,n=0)
lib.diff(x,n=2)
lib.diff(x,n=9)
lib.diff(x,n=-1)
lib.diff(lib.tensor(1.))
lib.diff(m,dim=0)
lib.diff(m,dim=5)
lib.diff(lib.tensor([True,False,True]))
lib.diff(x,prepend=lib.tensor([0.]),append=lib.tensor([1.,2]))
lib.diff(m,prepend=lib.zeros(3))
lib.diff(lib.tensor([1,2],dtype=lib.uint8).flip(0))
lib.diff(r)
lib.diff(m,append=lib.zeros(2,2,2))
lib.diff(m,append=lib.zeros(1,2))
lib.diff(m,append=lib.zeros(2,1,dtype=lib.float64))
lib.diff(lib.empty(0))
lib.diff(lib.empty(0,3))
x.diff(n=2)
lib.gradient(x)
lib.gradient(m)
lib.gradient(x,spacing=2.)
lib.gradient(m,spacing=(2.,3.))
lib.gradient(m,spacing=(lib.tensor([0.,2.]),lib.tensor([0.,1.,4.])))
lib.gradient(m,dim=1)
lib.gradient(m,dim=(0,1))
lib.gradient(x,edge_order=2)
lib.gradient(x,edge_order=3)
lib.gradient(lib.tensor([1.]))
lib.gradient(lib.tensor([1.,2.]),edge_order=2)
lib.gradient(lib.tensor([1,2,4]))
lib.gradient(lib.tensor([1,2,4]),spacing=2)
lib.gradient(m,spacing=(1.,))
lib.gradient(m,spacing=(lib.tensor([0.,2.]),))
lib.gradient(lib.tensor(1.))
lib.gradient(lib.tensor([True,False]))
lib.gradient(m,dim=(0,0))
lib.gradient(m,dim=7)
lib.gradient(x,spacing=lib.tensor(2.))
lib.gradient(lib.tensor([1,2],dtype=lib.uint8))
lib.gradient(x,spacing=[lib.tensor([0,1,4,5])])
lib.gradient(m,spacing=2,dim=0)
lib.gradient(m,dim=())
lib.gradient(m,spacing=(1.,2.),dim=0)
lib.gradient(x,spacing=(lib.tensor([0.,1,3,4]),),edge_order=2)
"""
METHODS = r"""
lib.is_signed(x)
lib.tensor([True]).is_signed()
lib.is_same_size(x,m)
x.is_same_size(x.long())
x.is_set_to(x)
x.is_set_to(x.view(4))
x.is_set_to(x.clone())
x.is_set_to(x[:2])
lib.empty(0).is_set_to(lib.empty(0))
x.is_set_to(x.long())
lib.narrow_copy(m,1,0,2)
m.narrow_copy(1,0,9)
m.narrow_copy(1,-1,1)
lib.narrow_copy(m,1,0,0)
x.clone().map_(x,lambda a,b:a+b)
x.clone().map_(x[:1],lambda a,b:a*10)
r.map_(x,lambda a,b:a)
x.clone().map2_(x,x,lambda a,b,c:a+b+c)
x.clone().map_(r,lambda a,b:a)
x.map_(x.long(),lambda a,b:a)
x.map_(3,lambda a,b:a)
r.map2_(x,x,None)
x.map2_(x,x.long(),None)
x.map_(m,lambda a,b:a)
x.map_(x, 3)
x.long().map_(x.long(), lambda a,b: 2.5)
m.adjoint()
lib.adjoint(x)
m.H
x.H
lib.ones(2,2,2).H
lib.ones(2,2,3).mH.shape
lib.tensor(1.).H
m.mH
x.mH
lib.tensor(1.).mH
lib.tensor(1.).adjoint()
lib.is_conj(x)
x.is_neg()
x.imag
lib.imag(x)
lib.conj_physical(x)
x.conj_physical() is x
lib.conj_physical_(x) is x
x.resize(2,2)
x.resize(3)
x.resize_as(m[0,:1])
x.resize_as(lib.ones(2,2))
x.volatile
setattr(x,'volatile',True)
lib.autograd.Variable(x,volatile=True)
lib.autograd.Variable(x,True,True)
x.data[0]
lib.tensor(1.)[0]
lib.tensor(1.).data[0]
lib.clamp_(x.clone(),2)
lib.clip_(x.clone(),max=2)
lib.clamp_(x)
lib.round_(x/3)
lib.round_(x/3,decimals=1)
lib.fill(x,3)
lib.fill(x,lib.tensor(2))
lib.fill_(x.clone(),3)
lib.detach_(x.clone())
lib.index_put_(x.clone(),(lib.tensor([0]),),lib.tensor(9.))
lib.fill(x,x)
lib.is_same_size(x,3)
lib.addmv_(lib.ones(2),m,lib.ones(3))
lib.nonzero_static(x>1,size=2)
lib.nonzero_static(x>1,size=5)
lib.nonzero_static(m>.2,size=7,fill_value=9)
lib.nonzero_static(x>1,size=-1)
type(x.as_subclass(lib.nn.Parameter))
x.as_subclass(lib.nn.Parameter).requires_grad
x.as_subclass(3)
type(r.as_subclass(lib.nn.Parameter).grad_fn) is not None
"""
NUMBERED = r"""
lib.bilinear(m,m,lib.ones(2,3,3))
lib.cosine_similarity(m,m+1)
lib.pairwise_distance(m,m)
lib.kl_div(m,m)
lib.kl_div(m,m,0)
lib.kl_div(m,m,1)
lib.kl_div(m,m,reduction=2)
lib.kl_div(m,m,reduction=5)
lib.kl_div(m,m,reduction='mean')
lib.kl_div(m,m,log_target=True)
lib.ctc_loss(lp,lib.tensor([[1,2],[1,3]]),[5,5],[2,2])
lib.ctc_loss(lp,lib.tensor([[1,2],[1,3]]),lib.tensor([5,5]),lib.tensor([2,2]),0,0)
lib.ctc_loss(lp,lib.tensor([[1,2],[1,3]]),[5,5],[2,2],0,2,True)
lib.ctc_loss(lp,lib.tensor([[1,2],[1,3]]),[5,5],[2,2],0,1,True)
lib.embedding_bag(W,lib.tensor([1,2,3]),lib.tensor([0,2]))
lib.embedding_bag(W,lib.tensor([1,2,3]),lib.tensor([0,2]),False,1)
lib.embedding_bag(W,lib.tensor([1,2,3]),lib.tensor([0,2]),False,2)
lib.embedding_bag(W,lib.tensor([1,2,3]),lib.tensor([0,2]),False,0,False,lib.tensor([1.,2,3]))
lib.embedding_bag(W,lib.tensor([1,2,3]),lib.tensor([0,2]),False,5)
lib.embedding_bag(W,lib.tensor([1,2,2]),lib.tensor([0,2]),False,2,False,None,False,2)
lib.embedding_bag(W,lib.tensor([1,2,2]),lib.tensor([0,2]),False,1,False,None,False,2)
lib.embedding_bag(W,lib.tensor([1,2,3,4]),lib.tensor([0,2,4]),False,0,False,None,True)
lib.margin_ranking_loss(x,x,lib.ones(4))
lib.margin_ranking_loss(x,x,lib.ones(4),0.5,1)
lib.hinge_embedding_loss(x,lib.ones(4))
lib.hinge_embedding_loss(x,lib.ones(4),1.,2)
lib.triplet_margin_loss(m,m,m)
lib.triplet_margin_loss(m,m,m,1.,2.,1e-6,False,2)
lib.cosine_embedding_loss(m,m,-lib.ones(2))
lib.cosine_embedding_loss(m,m,lib.ones(2),0.,0)
lib.poisson_nll_loss(x,x,True,False,1e-8,1)
lib.poisson_nll_loss(x,x,True,True,1e-8,0)
lib.alpha_dropout(x,0.5,False)
lib.alpha_dropout(x,1.,True)
lib.alpha_dropout_(x.clone(),0.5,True).shape
lib.feature_dropout(img,0.5,False).shape
lib.feature_dropout(img,1.,True)
lib.feature_dropout(x,0.5,True)
lib.feature_alpha_dropout(img,0.5,True).shape
lib.feature_alpha_dropout_(m.clone(),0.,True)
lib.feature_dropout_(m.clone(),1.,True)
lib.dropout_(x.clone(),0.,True)
lib.dropout_(x.clone(),1.,True)
lib.dropout_(x.clone(),1.5,True)
lib.feature_dropout(x,1.5,True)
lib.alpha_dropout(x,1.5,True)
lib.grid_sampler(img,grid,0,0,False)
lib.grid_sampler(img,grid,1,1,True)
lib.grid_sampler_2d(img,grid,0,2,True)
lib.affine_grid_generator(lib.ones(1,2,3),[1,1,2,2],False)
lib.grid_sampler_3d(lib.ones(1,1,2,2,2),lib.zeros(1,1,1,1,3),0,0,False)
"""
WINDOWS = r"""
lib.hann_window(0)
lib.hann_window(1)
lib.hann_window(5)
lib.hann_window(5,False)
lib.hann_window(-1)
lib.hann_window(5,dtype=lib.float64)
lib.hamming_window(5)
lib.hamming_window(5,False,0.6)
lib.hamming_window(5,True,0.6,0.4)
lib.blackman_window(5,dtype=lib.float64)
lib.bartlett_window(5)
lib.bartlett_window(6,False)
lib.kaiser_window(5)
lib.kaiser_window(5,False,3.)
lib.kaiser_window(5,True,beta=3.,dtype=lib.float64)
lib.kaiser_window(1)
lib.hann_window(5,requires_grad=True)
lib.hann_window(3.5)
lib.bartlett_window(2)
"""
SIZES = r"""
lib.Size([2,3]).numel()
lib.Size([]).numel()
lib.Size([2,3])+(1,)
lib.Size([2,3])*2
lib.Size([2,3])[:1]
lib.Size([2,3])==(2,3)
pickle.loads(pickle.dumps(lib.Size([2,3])))
copy.deepcopy(lib.Size([2,3]))
(1,)+lib.Size([2])
hash(lib.Size([2,3]))==hash((2,3))
lib.Size([2,3]).count(2)
lib.Size()
lib.Size(3)
"""
STORAGES = r"""
FS([1,2.5])
FS()
FS([1,2])[1:2]
FS([1,2])[5]
FS([1,2])['a']
FS([1,2])[-1]
FS([1,2]).tolist()
FS([1,2]).type()
FS([1,2]).dtype
FS([1,2]).element_size()
FS([1,2]).nbytes()
FS([1,2]).fill_(3)
FS([1,2]).copy_(lib.LongStorage([3,4]))
FS([1,2]).copy_(lib.LongStorage([3,4,5]))
FS([1,2]).long()
FS([1,2]).double().dtype
FS([1,2]).untyped()
FS([1,2]).untyped().tolist()
FS([1,2]).pickle_storage_type()
FS([1,2]).device
FS([1,2]).clone()
FS([1,2]).is_cuda
type(FS([1,2]))
len(FS([1,2]))
list(FS([1,2]))
lib.UntypedStorage(4).size()
lib.UntypedStorage([1,2])
lib.UntypedStorage([1,2])[0:1]
lib.UntypedStorage([1,2])[4]
lib.UntypedStorage([1,2]).type()
lib.UntypedStorage([1,2]).element_size()
lib.UntypedStorage([1,2]).__setitem__(0,1.5)
lib.TypedStorage([1,2],dtype=lib.int64)
lib.TypedStorage([1,2])
lib.TypedStorage()
FS.dtype
x.storage_type()
isinstance(x._typed_storage(),FS)
isinstance(x._typed_storage(),lib.LongStorage)
x.untyped_storage().nbytes()
x[1:].untyped_storage().nbytes()
x[1:]._typed_storage()
lib.is_storage(FS(1))
lib.is_storage(x)
lib.FloatTensor(FS([1,2]))
lib.tensor(FS([1,2]))
x.untyped_storage()==x.view(2,2).untyped_storage()
FS([1,2]).__setitem__(1,'a')
"""
REDUCTIONS = r"""
lib.sym_int(2.7)
lib.sym_int(-2.7)
lib.sym_int(True)
lib.sym_float(2)
lib.sym_max(3,2.)
lib.sym_max(3,2)
lib.sym_min(3,2.)
lib.sym_min(3.,2)
lib.sym_not(1)
lib.sym_not(0)
lib.sym_sqrt(4)
lib.sym_sum([1,2])
lib.sym_sum(())
lib.sym_ite(True,1,2)
lib.histogramdd(m,[2,2,3])
lib.histogramdd(m,2)
lib.histogramdd(m.double(),[2,2,2],weight=lib.tensor([1.,3.]).double())
lib.histogramdd(m,[2,2,2],density=True)
lib.histogramdd(m,[2,2])
lib.histogramdd(x,2)
lib.histogramdd(m,[2,2,2],range=[0.,1.,0.,1.,0.,1.])
lib.histogramdd(m,[2,2,2],range=[0.,1.,0.,1.])
lib.histogramdd(m,[lib.tensor([0.,.5,1.])]*3)
lib.histogramdd(m.long(),2)
lib.histogramdd(m,[2,2,2],range=[1.,0.,0.,1.,0.,1.])
lib.histogramdd(m,0)
lib.histogramdd(m,[2,2,2],weight=lib.ones(3))
lib.segment_reduce(x,'sum',lengths=lib.tensor([1,3]))
lib.segment_reduce(x,'mean',lengths=lib.tensor([1,0,3]))
lib.segment_reduce(x,'max',lengths=lib.tensor([1,0,3]))
lib.segment_reduce(x,'min',lengths=lib.tensor([1,0,3]),initial=2)
lib.segment_reduce(x,'mean',lengths=lib.tensor([1,0,3]),initial=1)
lib.segment_reduce(x,'sum',lengths=lib.tensor([1,0,3]),initial=1)
lib.segment_reduce(x,'prod',lengths=lib.tensor([1,0,3]),initial=2)
lib.segment_reduce(x,'max',offsets=lib.tensor([0,1,4]))
lib.segment_reduce(x,'sum',lengths=lib.tensor([1,2]))
lib.segment_reduce(x,'sum',lengths=lib.tensor([5,-1]))
lib.segment_reduce(x,'sum')
lib.segment_reduce(x,'foo',lengths=lib.tensor([1,3]))
lib.segment_reduce(m,'sum',lengths=lib.tensor([1,1]))
lib.segment_reduce(m,'sum',lengths=lib.tensor([[1,2],[3,0]]),axis=1)
lib.segment_reduce(m,'max',lengths=lib.tensor([[1,2],[2,1]]),axis=1)
lib.segment_reduce(m,'sum',lengths=lib.tensor([1,1]),axis=1)
lib.segment_reduce(x.long(),'sum',lengths=lib.tensor([1,3]))
lib.segment_reduce(x,'sum',indices=lib.tensor([1,3]))
lib.pca_lowrank(m,q=9)
lib.pca_lowrank(m,niter=-1)
lib.pca_lowrank(m)[1].shape
lib.svd_lowrank(m,q=2)[1]
lib.svd_lowrank(lib.ones(2,5,3),q=2)[0].shape
lib.pca_lowrank(m,q=2)[1][:1]
"""

DIVISION = r"""
lib.div(lib.tensor([1.,.5,2.,-1.]),.1,rounding_mode='floor')
lib.div(lib.tensor([1.,.5,2.,-1.]),lib.tensor([.1]),rounding_mode='floor')
lib.div(lib.tensor([1.,-1.,0.]),float('inf'),rounding_mode='floor')
lib.div(lib.tensor([1,-7,3]),.1,rounding_mode='floor')
lib.div(lib.tensor([1.,-1.,float('inf')]),2.,rounding_mode='floor')
x.div_(.1,rounding_mode='floor')
lib.tensor([True,False]).div(2,rounding_mode='trunc')
lib.tensor([True,False]).div(lib.tensor([True]),rounding_mode='trunc')
lib.tensor([5,7]).div_(2.,rounding_mode='floor')
lib.tensor([5,7]).div_(lib.tensor([2.5,2.]),rounding_mode='trunc')
lib.tensor([5.]).div_(x,rounding_mode='floor')
r.div(2,rounding_mode='trunc').grad_fn.name()
lib.autograd.grad(r.div(0.,rounding_mode='floor').sum(),r)
lib.autograd.grad(r.div(float('nan'),rounding_mode='trunc').sum(),r)
lib.autograd.grad(x.div(r-1,rounding_mode='trunc').sum(),r)
lib.autograd.grad(m[:,:1].div(r,rounding_mode='floor').sum(),r)
"""

NUMBERS = r"""
lib.add(2,3)
lib.add(2,3.5)
lib.add(2.5,3)
lib.add(True,2)
lib.add(2,3,alpha=2)
lib.add(2**40,1).dtype
lib.sub(7,2.)
lib.subtract(7,2)
lib.mul(2,3)
lib.multiply(2,.5)
lib.div(7,2)
lib.true_divide(7,2)
lib.div(7,2,rounding_mode='floor')
lib.floor_divide(7,2)
lib.floor_divide(7,lib.tensor([2,3]))
lib.floor_divide(7.5,lib.tensor([2,3]))
lib.bitwise_and(6,lib.tensor([3,5]))
lib.bitwise_or(6,lib.tensor([3,5]))
lib.bitwise_xor(6,lib.tensor([3,5]))
lib.bitwise_left_shift(1,lib.tensor([3,5]))
lib.bitwise_right_shift(64,lib.tensor([3,5]))
x.copy_(3)
x.copy_(2.5)
lib.tensor([1,2]).copy_(2.5)
lib.tensor([True,False,True]).square()
lib.tensor([True]).square_()
"""

NAMES = r"""
lib.isin(element=1,test_elements=x)
lib.isin(x,test_element=4)
lib.isin(elements=x,test_element=4,invert=True)
lib.isin(1,x)
lib.result_type(scalar1=1,scalar2=2.)
lib.result_type(scalar=1.5,tensor=lib.tensor([1]))
lib.result_type(tensor=x,other=1)
x.resize_as_(the_template=lib.zeros(2,2))
lib.resize_as_(x,the_template=lib.zeros(4,1))
lib.view_copy(x,lib.int32)
lib.view_copy(x,dtype=lib.int64)
lib.view_copy(x,size=(2,2))
lib.ones(1).expand(2,2,implicit=False)
lib.ones(1).expand((2,2),implicit=True)
lib.expand_copy(lib.ones(1),(2,),implicit=False)
lib.gradient(x,spacing=None)
lib.diff(m,n=0,append=lib.zeros(2,1))
"""

OUTS = r"""
lib.argsort(x,stable=True,descending=True,out=lib.empty(0,dtype=lib.int64))
lib.conj_physical(x,out=lib.empty(0))
lib.diff(x,out=lib.empty(0))
lib.narrow_copy(x,0,1,2,out=lib.empty(0))
lib.nonzero_static(x,size=3,out=lib.empty(0,1,dtype=lib.int64))
lib.slice_scatter(x,lib.zeros(1),0,1,2,out=lib.empty(0))
[o:=[lib.empty(3),lib.empty(3)],lib.unbind_copy(m,out=o)]
[o:=[lib.empty(2),lib.empty(2)],lib.split_copy(x,2,out=o)]
[o:=(lib.empty(1),lib.empty(3)),lib.split_with_sizes_copy(x,[1,3],out=o)]
lib.nn.functional.gelu(x,approximate='tanh',out=lib.empty(0))
lib.nn.functional.softplus(x,out=lib.empty(0))
lib.nn.functional.softshrink(x,out=lib.empty(0))
lib.nn.functional.hardshrink(x,2.,out=lib.empty(0))
lib.nn.functional.logsigmoid(x,out=lib.empty(0))
lib.nn.functional.linear(m,m,out=lib.empty(0))
lib.nn.functional.avg_pool2d(img,2,out=lib.empty(0))
lib.nn.functional.avg_pool3d(lib.ones(1,2,2,2),2,1,1,out=lib.empty(0))
lib.cholesky_inverse(lib.eye(2),out=lib.empty(0,dtype=lib.float64))
lib.cholesky_solve(lib.ones(1,1),lib.full((1,1),2.),out=lib.empty(0,dtype=lib.float16))
lib.linalg.pinv(lib.eye(2),out=lib.empty(0,dtype=lib.float64))
lib.linalg.tensorinv(lib.eye(2),ind=1,out=lib.empty(0,dtype=lib.float64))
lib.linalg.cond(lib.eye(2),out=lib.empty((),dtype=lib.float64))
lib.cat([x,x],out=lib.empty(0,dtype=lib.int64))
lib.stack([x,x],out=lib.empty(0,dtype=lib.bool))
lib.clamp(x,x,x,out=lib.empty(0,dtype=lib.float64))
lib.clamp_min(x,x,out=lib.empty(0,dtype=lib.float64))
"""

EDGES = r"""
lib.arange(1,7.).norm(.001)
lib.arange(1,7.).double().norm(.001)
lib.dist(lib.arange(1,7.).double(),lib.zeros(6),.001)
lib.linalg.vector_norm(lib.full((2,6),.1).double(),-.001,dim=1)
lib.addr(lib.ones(2,3,dtype=lib.bool),lib.tensor([True,False]),lib.tensor([True]*3),beta=3,alpha=2)
lib.addr(lib.zeros(2,3,dtype=lib.bool),lib.tensor([True,False]),lib.tensor([True]*3),beta=0)
lib.tensor(2,dtype=lib.int32).sum_to_size([])
lib.broadcast_shapes((),(-3,))
lib.nn.functional.mse_loss(x,lib.tensor(2.).double())
lib.nn.functional.l1_loss(x,lib.tensor(2.).double())
lib.nn.functional.smooth_l1_loss(lib.tensor(2.).double(),x)
[f(x,x.double()).dtype for f in (lib.nn.functional.huber_loss,lib.nn.functional.soft_margin_loss)]
lib.nn.functional.layer_norm(m.bfloat16(),(3,),lib.ones(3),None).dtype
lib.nn.functional.group_norm(m.half(),3,lib.ones(3),lib.zeros(3)).dtype
[s:=lib.zeros(3),lib.nn.functional.batch_norm(m.bfloat16(),s,s+1,lib.ones(3),lib.ones(3),True).dtype,s]
lib.nn.functional.batch_norm(m.half(),lib.zeros(3),lib.ones(3))
lib.empty(0,dtype=lib.int8).median()
lib.empty(0,dtype=lib.int32).median()
lib.nn.functional.mse_loss(lib.tensor([True,False]),lib.tensor([3.,1.]))
lib.nn.functional.mse_loss(lib.tensor([3.,1.]),lib.tensor([True,False]),reduction='none')
lib.nn.functional.mse_loss(lib.tensor([True]),lib.tensor([True]))
lib.autograd.grad(lib.nn.functional.mse_loss(r,lib.tensor([True]*4)),r)
lib.nn.functional.smooth_l1_loss(lib.tensor([True,False]),lib.tensor([3.,1.]))
lib.nn.functional.normalize(lib.tensor([6e4,0.],dtype=lib.float16)/lib.tensor(0.,dtype=lib.float16),dim=0)
lib.nn.functional.cosine_similarity(lib.tensor([6e4,6e4]).half(),lib.tensor([1.,1.]).half(),dim=0).dtype
lib.any(m,())
m.long().all(dim=[])
m.to(lib.uint8).any([],keepdim=True)
lib.tensor(3).any(())
lib.any(m,dim=None)
lib.linalg.vander(lib.tensor(2.),N=3)
lib.norm_except_dim(x)
lib.norm_except_dim(m,1,1)
lib.norm_except_dim(lib.arange(8.).view(2,2,2),2,1)
lib.take_along_dim(m,lib.tensor([[-1,-3],[2,-2]]),1)
lib.take_along_dim(m,lib.tensor([-1]))
lib.take_along_dim(m,lib.tensor([3,0],dtype=lib.int32))
lib.take_along_dim(x,lib.tensor([3,0],dtype=lib.int32),0)
lib.nn.functional.binary_cross_entropy_with_logits(lib.tensor([1.,1.])/0,lib.tensor([0.,.5]),reduction='none')
lib.nn.functional.hardtanh(lib.tensor([0,3],dtype=lib.uint8),-.5,1.5)
lib.nn.functional.cosine_similarity(m,m,eps=-1.)
lib.nn.functional.margin_ranking_loss(lib.tensor([1,2]),lib.tensor([2,1]),lib.tensor([1,1]))
lib.nn.functional.multi_margin_loss(lib.tensor(2.),lib.tensor(0))
lib.nn.functional.multi_margin_loss(m,lib.tensor([0,1]),reduction='most')
lib.nn.functional.multilabel_margin_loss(lib.tensor(2.),lib.tensor(0))
lib.nn.functional.multilabel_margin_loss(m,m.long(),reduction='most')
lib.nn.functional.max_pool2d(img.long(),2,1,1,return_indices=True)
lib.nn.functional.max_pool1d(lib.tensor([[3,-5,3,2]],dtype=lib.int8),2,1,return_indices=True)
lib.nn.functional.max_pool2d(lib.tensor([[[2**62,2**62+1]]]),(1,2))
lib.nn.functional.max_pool3d(img.to(lib.uint8),(1,3,3),2,(0,1,1))
lib.nn.functional.adaptive_avg_pool2d(m,(2,2))
lib.nn.functional.adaptive_max_pool3d(m,(2,2,2))
"""

GROUPS = {name.lower(): text for name, text in vars().copy().items() if name.isupper()}
LINES = [
    pytest.param(line, id=f"{name}-{number}")
    for name, text in GROUPS.items()
    for number, line in enumerate(text.split("\n"))
    if line
]


def names(lib: Any) -> dict[str, Any]:
    """What the lines speak of."""
    x = lib.tensor([1.0, 2, 4, 7])
    return {
        "lib": lib,
        "x": x,
        "r": x.clone().requires_grad_(),
        "m": lib.arange(6.0).reshape(2, 3) / 6,
        "img": lib.arange(16.0).reshape(1, 1, 4, 4),
        "grid": lib.zeros(1, 2, 2, 2),
        "lp": lib.arange(40.0).mul(1.7).sin().reshape(5, 2, 4).log_softmax(2),
        "W": lib.arange(30.0).mul(1.3).sin().reshape(10, 3),
        "FS": lib.FloatStorage,
        "pickle": pickle,
        "copy": copy,
    }


def answer(lib: Any, line: str) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = repr(eval(line, names(lib)))
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
    told = [str(w.message).split(" (Triggered")[0] for w in caught]
    told = [text for text in told if not text.startswith("TypedStorage is deprecated")]
    return "\n".join([found, *told]).replace("torch.", "tapegrad.")


@pytest.mark.parametrize("line", LINES)
def test_answers_are_those_of_torch(line: str) -> None:
    torch = pytest.importorskip("torch")
    assert answer(tg, line) == answer(torch, line)


@both
@pytest.mark.parametrize("spacing", ["equal", "places"])
@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_of_a_parabola(lib: Any, spacing: str, edge_order: int) -> None:
    at = lib.tensor([0.0, 1, 2, 3] if spacing == "equal" else [0.0, 1, 3, 4], dtype=lib.float64)
    at.requires_grad_()
    (slope,) = lib.gradient(at * at, spacing=1.0 if spacing == "equal" else [at.detach()],
                            edge_order=edge_order)  # fmt: skip
    inner = slice(None) if edge_order == 2 else slice(1, -1)
    assert lib.allclose(slope[inner], 2 * at[inner])
    slope.sum().backward()
    assert at.grad.shape == (4,)


@both
def test_gradient_flows_through_differences(lib: Any) -> None:
    x = lib.tensor([1.0, 2, 4], requires_grad=True)
    lib.diff(x, append=x[:1]).square().sum().backward()
    assert x.grad.tolist() == [4.0, -2.0, 10.0] or x.grad.tolist() == [-8.0, -2.0, 10.0]


@both
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "nuttall", "bartlett", "cosine",
                                  "exponential", "gaussian", "kaiser"])  # fmt: skip
@pytest.mark.parametrize("sym", [True, False])
def test_windows(lib: Any, name: str, sym: bool) -> None:
    window = getattr(lib.signal.windows, name)
    assert window(0).shape == (0,) and window(1).tolist() == [1.0]
    values = window(8, sym=sym, dtype=lib.float64)
    assert values.dtype is lib.float64 and window(8).dtype is lib.float32
    whole = window(9, dtype=lib.float64)
    if sym:
        assert lib.allclose(values, values.flip(0))
    else:  # the first ones of the symmetric window that is longer by one
        assert lib.allclose(values, whole[:-1])
    assert window(8, requires_grad=True).requires_grad


def test_windows_against_torch() -> None:
    torch = pytest.importorskip("torch")
    calls = [
        lambda w, d: w.general_cosine(7, a=[0.4, 0.5, 0.1], dtype=d),
        lambda w, d: w.general_hamming(7, alpha=0.6, sym=False, dtype=d),
        lambda w, d: w.exponential(7, center=2, tau=3.0, sym=False, dtype=d),
        lambda w, d: w.gaussian(7, std=2.5, dtype=d),
        lambda w, d: w.kaiser(7, beta=4.0, sym=False, dtype=d),
        *(
            lambda w, d, name=name: getattr(w, name)(7, dtype=d)
            for name in tg.signal.windows.__all__
            if name != "general_cosine"
        ),
    ]
    for call in calls:
        got = call(tg.signal.windows, tg.float64).numpy()
        want = call(torch.signal.windows, torch.float64).numpy()
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-12)


@both
def test_window_errors(lib: Any) -> None:
    w = lib.signal.windows
    for call, kind, text in (
        (lambda: w.hann(-1), ValueError, "general_cosine requires non-negative window length, got"),
        (lambda: w.kaiser(-1), ValueError, "kaiser requires non-negative window length, got M=-1"),
        (
            lambda: w.hann(3, dtype=lib.int64),
            ValueError,
            "general_cosine expects float32 or float64",
        ),
        (lambda: w.gaussian(3, std=-1), ValueError, "Standard deviation must be positive, got: -1"),
        (
            lambda: w.exponential(3, center=1),
            ValueError,
            "Center must be None for symmetric windows",
        ),
        (lambda: w.exponential(3, tau=0), ValueError, "Tau must be positive, got: 0 instead."),
        (lambda: w.kaiser(3, beta=-1), ValueError, "beta must be non-negative, got: -1 instead."),
        (lambda: w.general_cosine(3, a=3), TypeError, "Coefficients must be a list/tuple"),
        (lambda: w.general_cosine(3, a=[]), ValueError, "Coefficients cannot be empty"),
    ):
        with raises(kind, text):
            call()


@both
def test_as_subclass(lib: Any) -> None:
    class Named(lib.Tensor):
        pass

    x = lib.ones(2, requires_grad=True)
    view = x.as_subclass(Named)
    assert type(view) is Named and view.data_ptr() == x.data_ptr()
    (view * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert type(lib.ones(2, 3).T.as_subclass(Named)) is Named


@both
def test_storage_is_the_memory(lib: Any) -> None:
    x = lib.arange(6.0)[2:].view(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory = x.storage()
    assert memory.tolist() == [0.0, 1, 2, 3, 4, 5] and memory.data_ptr() != x.data_ptr()
    memory[2] = 9
    memory[4:6] = 7
    assert x.tolist() == [[9.0, 3.0], [7.0, 7.0]] and memory[2] == 9.0
    assert isinstance(memory, lib.FloatStorage) and not isinstance(memory, lib.LongStorage)
    raw = x.untyped_storage()
    assert raw.nbytes() == raw.size() == 24 and raw.data_ptr() == memory.data_ptr()
    raw[11] = 0
    assert x[0, 0].item() != 9.0
    assert lib.TypedStorage(wrap_storage=raw, dtype=lib.float64).size() == 3
    memory.fill_(1)
    assert x.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    other = memory.clone()
    other[0] = 5
    assert memory[0] == 1.0
    tied = x.view(-1)
    assert tied.untyped_storage() == raw and hash(tied.untyped_storage()) == hash(raw)
    assert lib.is_storage(raw) and lib.is_storage(memory) and not lib.is_storage(x)


def test_storage_keeps_its_size() -> None:
    with raises(RuntimeError, "Trying to resize storage that is not resizable"):
        tg.ones(2).untyped_storage().resize_(1)


@both
def test_storage_warns_once(lib: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lib.ones(1).storage()
        lib.ones(1).storage()
    assert len([w for w in caught if "TypedStorage is deprecated" in str(w.message)]) <= 1


@both
def test_low_rank(lib: Any) -> None:
    lib.manual_seed(0)
    whole = lib.randn(2, 9, 3, dtype=lib.float64) @ lib.randn(2, 3, 7, dtype=lib.float64)
    for matrix in (whole, whole.mT):
        U, S, V = lib.svd_lowrank(matrix, q=3)
        assert lib.allclose(U @ lib.diag_embed(S) @ V.mT, matrix)
        assert lib.allclose(S, lib.linalg.svdvals(matrix)[..., :3])
    U, S, V = lib.pca_lowrank(whole, q=3)
    centred = whole - whole.mean(-2, keepdim=True)
    assert lib.allclose(U @ lib.diag_embed(S) @ V.mT, centred)
    assert [p.shape for p in lib.pca_lowrank(whole)] == [(2, 9, 6), (2, 6), (2, 7, 6)]


@both
@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
def test_segments_have_gradients(lib: Any, reduce: str) -> None:
    x = lib.tensor([1.0, 3, 2, 5], dtype=lib.float64, requires_grad=True)
    lib.segment_reduce(x, reduce, lengths=lib.tensor([1, 3]), unsafe=True).sum().backward()
    expected = {"sum": [1, 1, 1, 1], "mean": [1, 1 / 3, 1 / 3, 1 / 3], "max": [1, 0, 0, 1],
                "min": [1, 0, 1, 0], "prod": [1, 10, 15, 6]}[reduce]  # fmt: skip
    assert x.grad.tolist() == pytest.approx(expected)


@both
def test_what_was_removed(lib: Any) -> None:
    with raises(RuntimeError, "reinforce() was removed.\nUse tapegrad.distributions instead", lib):
        lib.ones(1).reinforce(1.0)
