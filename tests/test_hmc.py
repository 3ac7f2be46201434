"""HMC against what is known of it: the exact map for a Gaussian, its geometry, closed-form moments and quadrature."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from vbook.checks import check_within
from vbook.errors import VbookError
from vbook.hmc import energy, gradient, hmc_step, leapfrog, sample, split_rhat, tune

F64 = dict(dtype=torch.float64)
MEAN = torch.tensor([1.0, -0.5, 0.2], **F64)
COVARIANCE = torch.tensor([[1.0, 0.7, 0.2], [0.7, 1.5, -0.3], [0.2, -0.3, 0.4]], **F64)
GAUSSIAN = MultivariateNormal(MEAN, COVARIANCE)
STANDARD = MultivariateNormal(torch.zeros(1, **F64), torch.eye(1, **F64))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), **F64)


def quartic(z):
    """A curved density with two modes, coupled: its gradient is not linear."""
    return -((z[:, 0] ** 2 - 1) ** 2) - 0.5 * (z[:, 1] - z[:, 0] ** 2) ** 2 - 0.3 * z[:, 2] ** 2 * (1 + z[:, 1] ** 2)


def test_gradient_of_each_chain_is_its_own():
    z = noise(5, 3)
    torch.testing.assert_close(gradient(GAUSSIAN.log_prob, z), -(z - MEAN) @ GAUSSIAN.precision_matrix)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_leapfrog_is_the_known_linear_map_on_a_gaussian(steps):
    """For N(0, 1) one step multiplies (z, r) by a matrix with entries 1 - e²/2, e, -e (1 - e²/4)."""
    e = 0.3
    one = torch.tensor([[1 - e**2 / 2, e], [-e * (1 - e**2 / 4), 1 - e**2 / 2]], **F64)
    start = noise(4, 2)
    z, r = leapfrog(STANDARD.log_prob, start[:, :1], start[:, 1:], e, steps)
    expected = start @ torch.linalg.matrix_power(one, steps).T
    torch.testing.assert_close(torch.cat([z, r], 1), expected)


def test_leapfrog_is_reversible():
    z0, r0 = noise(6, 3), noise(6, 3, seed=1)
    z, r = leapfrog(quartic, z0, r0, 0.05, 10)
    back, r_back = leapfrog(quartic, z, -r, 0.05, 10)
    assert (z - z0).abs().max() > 0.1
    torch.testing.assert_close(back, z0)
    torch.testing.assert_close(-r_back, r0)


def test_leapfrog_keeps_volumes():
    """The determinant of the Jacobian of (z, r) -> (z', r'), by central differences."""
    start, h = torch.cat([noise(3), noise(3, seed=1)]), 1e-5
    shifts = torch.cat([start + h * torch.eye(6, **F64), start - h * torch.eye(6, **F64)])
    z, r = leapfrog(quartic, shifts[:, :3], shifts[:, 3:], 0.1, 5)
    end = torch.cat([z, r], 1)
    jacobian = (end[:6] - end[6:]) / (2 * h)
    assert (jacobian - torch.eye(6, **F64)).abs().max() > 0.1
    assert torch.linalg.det(jacobian).item() == pytest.approx(1, abs=1e-6)


def test_energy_error_falls_as_the_square_of_the_step():
    """The same time of flight in steps of 0.02 and 0.01."""
    z0, r0 = noise(50, 3), noise(50, 3, seed=1)
    errors = []
    for e, steps in ((0.02, 25), (0.01, 50)):
        z, r = leapfrog(quartic, z0, r0, e, steps)
        errors.append((energy(quartic, z, r) - energy(quartic, z0, r0)).abs().mean().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1) and errors[1] < 0.01


def test_one_step_size_per_chain_is_each_chain_alone():
    z0, r0 = noise(2, 3), noise(2, 3, seed=1)
    z, r = leapfrog(quartic, z0, r0, torch.tensor([0.02, 0.1], **F64), 3)
    for i, e in enumerate((0.02, 0.1)):
        z_i, r_i = leapfrog(quartic, z0[i : i + 1], r0[i : i + 1], e, 3)
        torch.testing.assert_close((z[i], r[i]), (z_i[0], r_i[0]))


def test_acceptance_is_the_metropolis_ratio_of_the_energies():
    """With coarse steps; momentum and uniform come from the generator in this order."""
    z0 = noise(20_000, 1)
    z, accepted, acceptance = hmc_step(STANDARD.log_prob, z0, 1.7, 1, generator(5))
    g = generator(5)
    r0 = torch.randn(20_000, 1, generator=g, **F64)
    z1 = z0 + 1.7 * (r0 - 0.85 * z0)
    r1 = r0 - 0.85 * (z0 + z1)
    ratio = (0.5 * (z0**2 + r0**2 - z1**2 - r1**2)).exp().clamp(max=1)[:, 0]
    torch.testing.assert_close(acceptance, ratio)
    assert torch.equal(accepted, torch.rand(20_000, generator=g, **F64) < ratio)
    torch.testing.assert_close(z, torch.where(accepted[:, None], z1, z0))
    assert 0.1 < accepted.double().mean() < 0.9
    # A Metropolis step leaves N(0, 1) as it is, however coarse.
    check_within((z**2).mean(), 1.0, math.sqrt(2 / len(z)))


def test_stationary_moments_of_a_correlated_gaussian():
    """From far starts; chains are independent, so the spread of their means gives the error, whatever the autocorrelation."""
    z0 = 3 * noise(100, 3)
    draws, acceptance, _ = sample(GAUSSIAN.log_prob, z0, 300, warm_up=150, generator=generator(1))
    assert 0.85 < acceptance < 0.95
    assert (split_rhat(draws) < 1.01).all()
    means, centred = draws.mean(0), draws - MEAN
    check_within(means.mean(0), MEAN, means.std(0) / 10)
    products = (centred.unsqueeze(-1) * centred.unsqueeze(-2)).mean(0)
    check_within(products.mean(0), COVARIANCE, products.std(0) / 10)
    assert (products.std(0) / 10 < 0.05).all(), "the test needs a sharp estimate"


def test_a_density_that_is_not_gaussian_against_quadrature():
    """Two modes, skewed: log p = -(z² - 1)² + z/2; E z, E z² and P(z > 0) by the trapezium rule."""

    def log_density(z):
        return -((z[:, 0] ** 2 - 1) ** 2) + 0.5 * z[:, 0]

    grid = torch.linspace(-4, 4, 8001, **F64)
    p = log_density(grid[:, None]).softmax(0)
    draws = sample(log_density, noise(200, 1), 300, warm_up=150, generator=generator(2)).draws[..., 0]
    for f in (lambda z: z, lambda z: z**2, lambda z: (z > 0).double()):
        per_chain = f(draws).mean(0)
        check_within(per_chain.mean(), (p * f(grid)).sum(), per_chain.std() / math.sqrt(200))


def test_step_sizes_per_chain_find_each_its_own_scale():
    """Two groups of chains whose targets differ tenfold in width."""
    width = torch.cat([torch.full((20,), 0.1), torch.full((20,), 1.0)]).double()

    def log_density(z):
        return -0.5 * (z / width[:, None]).square().sum(-1)

    z0 = noise(40, 5) * width[:, None]
    found = sample(log_density, z0, 200, warm_up=300, step_size=torch.full((40,), 0.3), generator=generator(3))
    narrow, wide = found.step_size[:20].log().mean().exp(), found.step_size[20:].log().mean().exp()
    assert (wide / narrow).item() == pytest.approx(10, rel=0.2)
    assert 0.85 < found.acceptance < 0.95


def test_tuning_goes_the_right_way_and_stops_at_the_target():
    step = torch.tensor(0.5)
    assert tune(step, torch.tensor([1.0, 0.9])) > step > tune(step, torch.tensor([0.5, 0.9]))
    torch.testing.assert_close(tune(step, torch.tensor([1.0, 0.8])), step)
    each = tune(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.8]))
    torch.testing.assert_close(each, 0.5 * torch.tensor([0.1 * 0.1, -0.1 * 0.1]).exp())


def test_a_warm_up_tunes_towards_the_target_that_was_asked_for():
    modest, sure = (sample(STANDARD.log_prob, noise(50, 1), 1, target=target, generator=generator(0)) for target in (0.5, 0.95))
    assert modest.step_size.mean() > 1.5 * sure.step_size.mean()


def test_jitter_ends_a_resonance():
    """Ten steps of just the length that turns N(0, 1) by π: z² never changes without jitter and mixes with it."""
    step = 2 * math.sin(math.pi / 20)  # a leapfrog step turns by the angle 2 arcsin(e/2)
    z = torch.full((2000, 1), 2.0, **F64)
    frozen = z
    for s in range(100):
        frozen = hmc_step(STANDARD.log_prob, frozen, step, 10, generator(s)).z
        z = hmc_step(STANDARD.log_prob, z, step, 10, generator(s), jitter=0.2).z
    torch.testing.assert_close(frozen.abs(), torch.full_like(z, 2.0))
    check_within((z**2).mean(), 1.0, math.sqrt(2 / len(z)))


@pytest.mark.parametrize("wall", [math.nan, math.inf, -math.inf])
def test_energies_that_are_not_finite_are_never_accepted(wall):
    def log_density(z):
        return torch.where(z[:, 0] > 0.5, wall, -0.5 * z[:, 0] ** 2)

    z = torch.linspace(-2, 0.4, 500, **F64)[:, None]
    moved = torch.zeros(500, dtype=torch.bool)
    for s in range(20):
        z, accepted, acceptance = hmc_step(log_density, z, 0.5, 4, generator(s))
        assert (z <= 0.5).all() and torch.isfinite(acceptance).all()
        moved |= accepted
    assert moved.all(), "the chains must still move inside"


def test_a_chain_that_starts_outside_stays():
    z = torch.full((3, 1), 2.0, **F64)
    after = hmc_step(lambda z: torch.where(z[:, 0] > 1, math.nan, z[:, 0]), z, 0.5, 2, generator())
    assert torch.equal(after.z, z) and not after.accepted.any() and torch.equal(after.acceptance, torch.zeros(3, **F64))


def test_same_generator_same_chains_and_the_global_state_is_untouched():
    before = torch.random.get_rng_state()
    a, b, c = (sample(quartic, noise(4, 3), 5, warm_up=5, generator=generator(s)).draws for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(before, torch.random.get_rng_state())


def test_it_works_under_no_grad_and_leaves_no_graph():
    weight = torch.tensor(1.0, **F64, requires_grad=True)
    with torch.no_grad():
        z = hmc_step(lambda z: -0.5 * weight * z.square().sum(-1), noise(4, 2), 0.1, generator=generator()).z
    assert not z.requires_grad and weight.grad is None


def test_split_rhat_by_hand():
    """Two chains of five draws; without the middle one the halves are (1,3), (2,2), (5,7), (4,8).

    Means 2, 2, 6, 6: B/n = 16/3. Variances 2, 0, 2, 8: W = 3. n = 2: R² = (1/2 · 3 + 16/3)/3 = 41/18.
    """
    draws = torch.tensor([[1.0, 5.0], [3.0, 7.0], [99.0, -99.0], [2.0, 4.0], [2.0, 8.0]], **F64)
    assert split_rhat(draws).item() == pytest.approx(math.sqrt(41 / 18))
    each = torch.stack([draws, 3 * draws + draws.roll(1, 0), draws**2], -1)
    assert split_rhat(each).tolist() == pytest.approx([split_rhat(each[..., k]).item() for k in range(3)])


def test_split_rhat_sees_chains_apart_and_a_chain_that_drifts():
    same = noise(400, 4)
    assert split_rhat(same) < 1.01
    assert split_rhat(same + torch.tensor([0.0, 0.0, 0.0, 2.0])) > 1.2
    assert split_rhat(same + torch.linspace(0, 3, 400, **F64)[:, None]) > 1.2, "all chains drift alike: only halves show it"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hmc_step(quartic, noise(3), 0.1), r"shape \(N, Z\)"),
        (lambda: hmc_step(quartic, noise(4, 3), torch.ones(3)), "one per chain"),
        (lambda: hmc_step(quartic, noise(4, 3), 0.0), "above 0"),
        (lambda: hmc_step(quartic, noise(4, 3), math.nan), "above 0"),
        (lambda: hmc_step(quartic, noise(4, 3), 0.1, 0), "leapfrogs must be a whole number of at least 1, got 0"),
        (lambda: hmc_step(quartic, noise(4, 3), 0.1, 2.5), "leapfrogs must be a whole number of at least 1, got 2.5"),
        (lambda: hmc_step(quartic, noise(4, 3), math.inf), "step_size must be above 0 and finite"),
        (lambda: hmc_step(quartic, noise(4, 3), 0.1, jitter=1.0), "jitter"),
        (lambda: hmc_step(lambda z: z, noise(4, 3), 0.1), r"to shape \(4,\)"),
        (lambda: tune(torch.tensor(1.0), torch.ones(2), target=1.0), "target"),
        (lambda: tune(torch.tensor(1.0), torch.ones(2), target=0.0), "target"),
        (lambda: sample(quartic, noise(4, 3), 0), "draws"),
        (lambda: sample(quartic, noise(4, 3), 1, warm_up=-1), "warm_up"),
        (lambda: split_rhat(noise(3, 2)), "at least 4"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(VbookError, match=words):
        call()


def test_a_single_draw_without_warm_up_is_one_step_from_where_the_chains_stand():
    found = sample(quartic, noise(4, 3), 1, warm_up=0, leapfrogs=2, generator=torch.Generator().manual_seed(3))
    by_hand = hmc_step(quartic, noise(4, 3), 0.1, 2, torch.Generator().manual_seed(3), 0.1)
    assert torch.equal(found.draws[0], by_hand.z)


def test_jitter_draws_each_chains_step_from_both_sides():
    """In a flat landscape nothing bends the path: the distance over the momentum is the step, between 0.9 and 1.1 times 0.5."""
    z = torch.zeros(2_000, 1, **F64)
    moved = hmc_step(lambda z: 0 * z[:, 0], z, 0.5, 1, generator(3), jitter=0.1).z
    g = generator(3)
    torch.rand(2_000, 1, generator=g, **F64)
    steps = moved / torch.randn(2_000, 1, generator=g, **F64)
    assert 0.45 <= steps.min() < 0.451 and 0.549 < steps.max() <= 0.55 and abs(steps.mean() - 0.5) < 0.003
