package fault

import "math/rand/v2"

// Plan says what each of a number of nodes is: faultyPercent of them are
// faulty, dealt among the kinds in turn, all but Honest ones if none are
// given; which nodes they are is drawn from the seed. The rest is Honest.
func Plan(nodes, faultyPercent int, seed uint64, kinds ...Kind) []Kind {
	if len(kinds) == 0 {
		kinds = Kinds()
	}
	plan := make([]Kind, nodes)
	rng := rand.New(rand.NewPCG(seed, 0))
	for turn, i := range rng.Perm(nodes)[:nodes*min(max(faultyPercent, 0), 100)/100] {
		plan[i] = kinds[turn%len(kinds)]
	}
	return plan
}
