"""The assignment's equations and its hand-out's, each against a closed form, a grid, autograd or the same thing by hand."""

import math

import torch
from exact import F64, GRID, STEP, B, W, X, average, close, generator, phi, solvable, within
from torch.distributions import MultivariateNormal, Normal
from torch.func import jacrev, vmap
from torch.nn.functional import logsigmoid

from vbook import adversarial
from vbook.bounds import elbo_analytic_kl, iwae, log_mean_exp, log_weights
from vbook.distributions import FactorizedBernoulli, FactorizedNormal, standard_normal
from vbook.evaluation import summarize
from vbook.mcem import log_joint
from vbook.models import LinearGaussian, RealNVP
from vbook.objectives import annealed

DRAWS = 40_000


def model_and_q():
    model = solvable(*(p.detach() for p in phi()))
    return model, model.encode(X)


def from_prior():
    """The model with the prior in the encoder's place: draws of z know nothing of x."""
    return LinearGaussian(W, B, 0.5, lambda x: standard_normal(1, x).expand((len(x),)))


def divergence(model, q):
    """KL(q||posterior) on the grid."""
    log_q = q.log_prob(GRID)
    return average(log_q, log_q - model.posterior(X).log_prob(GRID)).item()


def test_eq_4_pixels_are_independent_coins():
    f, x = torch.tensor([0.2, 0.9, 0.5], **F64), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], **F64)
    by_hand = torch.stack([(0.2 * 0.9 * 0.5 * torch.ones((), **F64)).log(), (0.8 * 0.9 * 0.5 * torch.ones((), **F64)).log()])
    close(FactorizedBernoulli(f.logit()).log_prob(x), by_hand)


def test_the_chain_of_draws_has_the_joint_density():
    """p(z) p(x|z) is the density of (z, x), a Gaussian in three dimensions here."""
    model, z = from_prior(), torch.randn(50, 1, generator=generator(), **F64)
    x = torch.randn(50, 2, generator=generator(1), **F64)
    both = torch.cat([torch.ones(1, 1, **F64), W])  # how z moves (z, x)
    noise = torch.diag(torch.tensor([0.0, 0.25, 0.25], **F64))
    joint = MultivariateNormal(torch.cat([torch.zeros(1, **F64), B]), both @ both.T + noise)
    close(log_joint(model, x)(z), joint.log_prob(torch.cat([z, x], 1)))


def test_eq_5_the_likelihood_is_a_mean_over_the_prior():
    model = from_prior()
    weights = log_weights(model, X.expand(DRAWS, -1), 1, generator())[0].exp().detach()
    within(weights, model.log_px(X).exp().item())
    close(log_mean_exp(weights.log()).item(), weights.mean().log().item())


def test_1_4a_the_logarithm_stands_outside():
    model = from_prior()
    many = iwae(model, X.expand(400, -1), 2_000, generator()).detach()
    assert abs(many.mean() - model.log_px(X).item()) < 0.01
    inside = log_weights(model, X.expand(400, -1), 2_000, generator()).mean(0)
    assert inside.mean() < model.log_px(X).item() - 1, "the source's form is a bound, and a loose one"


def test_1_5b_the_divergence_of_two_gaussians():
    """The closed form against the integral (6), whose fraction has q on top."""
    q = FactorizedNormal(torch.tensor([[0.7]], **F64), torch.tensor([[0.6]], **F64))
    model = LinearGaussian(W, B, 0.5, lambda x: q.expand((len(x),)))
    log_q, log_p = q.log_prob(GRID), model.prior().log_prob(GRID)
    integral = average(log_q, log_q - log_p).item()
    reconstruction = average(log_q, model.decode(GRID).log_prob(X)).item()
    close(integral, 0.5 * (0.36 + 0.49 - 1 - math.log(0.36)), atol=1e-6)
    assert abs(-integral - integral) > 0.5, "the source's first line is its negative"
    within(elbo_analytic_kl(model, X.expand(DRAWS, -1), 2, generator()).detach(), reconstruction - integral)


def test_eq_7_an_average_of_a_constant():
    model, q = model_and_q()
    evidence = (model.decode(GRID).log_prob(X) + model.prior().log_prob(GRID)).exp().sum(0) * STEP
    close(model.log_px(X), evidence.log(), atol=1e-6)
    close(average(q.log_prob(GRID), model.log_px(X).expand(len(GRID), 1)), model.log_px(X), atol=1e-6)


def test_eq_8_bayes_rule_at_every_z():
    model, _ = model_and_q()
    joint = model.decode(GRID).log_prob(X) + model.prior().log_prob(GRID)
    close(joint - model.posterior(X).log_prob(GRID), model.log_px(X).expand(len(GRID), 1), atol=1e-6)


def test_eq_9_q_on_top_and_below():
    model, q = model_and_q()
    weights = log_weights(model, X.expand(DRAWS, -1), 1, generator())[0].detach()
    z = q.transport(torch.randn(1, DRAWS, 1, generator=generator(), **F64))[0]
    close(weights + q.log_prob(z) - model.posterior(X).log_prob(z), model.log_px(X).expand(DRAWS), atol=1e-9)


def test_eq_10_three_terms():
    model, q = model_and_q()
    bound = elbo_analytic_kl(model, X.expand(DRAWS, -1), 2, generator()).detach()
    within(bound + divergence(model, q), model.log_px(X).item())


def test_eq_11_the_bound_is_what_is_left():
    model, q = model_and_q()
    log_q = q.log_prob(GRID)
    right = average(log_q, model.decode(GRID).log_prob(X)) - average(log_q, log_q - model.prior().log_prob(GRID))
    close(model.log_px(X).item() - divergence(model, q), right.item(), atol=1e-6)
    within(elbo_analytic_kl(model, X.expand(DRAWS, -1), 2, generator(2)).detach(), right.item())


def losses(samples):
    """A model of two latents and four pixels, its draws, and both losses by hand."""
    weight = torch.randn(4, 2, generator=generator(), **F64)
    mu, sd = torch.tensor([[0.5, -0.8]], **F64), torch.tensor([[0.6, 1.4]], **F64)
    model = LinearGaussian(weight, torch.zeros(4, **F64), 0.7, lambda x: FactorizedNormal(mu, sd))
    x, eps = torch.randn(1, 4, generator=generator(3), **F64), torch.randn(samples, 1, 2, generator=generator(4), **F64)
    recon = -model.decode(mu + sd * eps).log_prob(x).sum(0) / samples
    reg = 0.5 * (
        sd[0, 0] ** 2 + mu[0, 0] ** 2 - 1 - (sd[0, 0] ** 2).log() + sd[0, 1] ** 2 + mu[0, 1] ** 2 - 1 - (sd[0, 1] ** 2).log()
    )
    return model, x, recon, reg


def test_1_10_the_regularisation_is_summed_over_latents():
    model, x, recon, reg = losses(2)
    for beta in (1.0, 3.0):
        close(annealed(model, x, beta, samples=2, generator=generator(4)), -recon - beta * reg)


def test_1_10_the_reconstruction_is_averaged_over_draws():
    model, x, recon, reg = losses(5)
    close(elbo_analytic_kl(model, x, 5, generator(4)), -recon - reg)


def test_1_10_the_objective_is_a_mean_over_the_data():
    found = summarize(torch.tensor([2.0, 4.0, 9.0]))
    assert found.mean == 5.0 and found.n == 3
    close(found.standard_error, math.sqrt(13 / 3))


def test_1_11_a_draw_is_moved_noise():
    q, eps = FactorizedNormal(torch.tensor([1.0, -2.0], **F64), torch.tensor([0.5, 3.0], **F64)), torch.tensor([2.0, -1.0], **F64)
    close(q.transport(eps), torch.tensor([2.0, -5.0], **F64))


def test_2_3_at_the_end_the_value_is_minus_log_four():
    """D* on a grid: −log 4 for equal densities, more for others, and no other discriminator does better."""
    grid = torch.linspace(-10, 10, 20_001, **F64)
    p = Normal(0.0, 1.0).log_prob(grid)

    def value(log_g, logit):  # one integral of both terms
        real, fake = logsigmoid(logit), logsigmoid(-logit)
        close(adversarial.value(logit, logit), real + fake)
        return ((p.exp() * real + log_g.exp() * fake).sum() * 1e-3).item()

    close(value(p, torch.zeros_like(p)), -math.log(4), atol=1e-9)
    close(adversarial.value(torch.zeros(1, **F64), torch.zeros(1, **F64)).item(), -math.log(4))
    other = Normal(1.0, 0.8).log_prob(grid)
    best = value(other, p - other)
    assert best > -math.log(4) + 0.1 and all(value(other, p - other + shift) < best - 1e-3 for shift in (-0.3, 0.3))


def test_eq_16_one_coordinate_keeps_its_mass():
    """A flow that moves the first of two coordinates: at any value of the other its density integrates to 1."""
    model, x = RealNVP((1, 2), pairs=1, hidden=8).double(), torch.linspace(-12, 12, 24_001, **F64)
    with torch.no_grad():
        model.nets[0][-1].weight.normal_(0, 0.5, generator=generator(1))  # the other coupling stays the identity
        for kept in (0.4, -1.3):
            points = torch.stack([x, torch.full_like(x, kept)], 1)
            beside = Normal(0.0, 1.0).log_prob(torch.tensor(kept, **F64))
            close((model.log_ph(points) - beside).exp().sum() * 1e-3, 1.0, atol=1e-6)
            assert model.normalize(points)[1].abs().min() > 1e-3


def small_flow():
    model = RealNVP((1, 2), pairs=2, hidden=8).double()
    with torch.no_grad():
        for net in model.nets:
            net[-1].weight.normal_(0, 0.5, generator=generator(1))
    return model


def test_eq_17_logarithms_add_along_the_chain():
    model, h = small_flow(), torch.randn(20, 2, generator=generator(2), **F64)
    whole = torch.linalg.slogdet(vmap(jacrev(lambda row: model.normalize(row)[0]))(h)).logabsdet
    close(model.normalize(h)[1].detach(), whole.detach())
    assert whole.abs().min() > 1e-3


def test_3_1_the_density_of_a_vector_integrates_to_1():
    """As printed, with the determinant's inverse, it doesn't."""
    model, edge = small_flow(), torch.linspace(-9, 9, 301, **F64)
    points = torch.cartesian_prod(edge, edge)
    with torch.no_grad():
        log_p, ladj = model.log_ph(points), model.normalize(points)[1]
    cell = (edge[1] - edge[0]) ** 2
    close(log_p.exp().sum() * cell, 1.0, atol=1e-3)
    assert abs((log_p - 2 * ladj).exp().sum() * cell - 1) > 0.05
