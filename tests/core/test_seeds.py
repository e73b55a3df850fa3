from kalemia.core.seeds import rng, seed_of


def test_a_seed_depends_on_every_name_and_on_their_borders():
    seeds = [
        seed_of(1),
        seed_of(2),
        seed_of(1, "a"),
        seed_of(1, "a", 7),
        seed_of(1, "a7"),
        seed_of(1, "a", "b"),
        seed_of(1, "ab"),
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_same_names_give_the_same_numbers():
    assert seed_of(2022, "split", 10059) == 6493398080848120897
    assert rng(1, "a").random() == rng(1, "a").random()
