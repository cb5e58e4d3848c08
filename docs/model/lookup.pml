/* One lookup with two disjoint paths, for spin: the transitions of lookup.qnt
 * over sets kept as bits, every schedule of them, and every first split of
 * the seeds. Exhaustive, and with liveness. README.md says how to run it.
 *
 * -DORPHAN_WAIT, -DLOST_TIMER and -DASKED_TWICE plant the defects of lookup.qnt.
 */
#ifndef N
#define N 4	/* peers, named by their distance from the target: 0 is nearest */
#endif
#ifndef K
#define K 1	/* results wanted */
#endif
#define ALPHA 1	/* per path: requests that are not overdue */
#define SPARE 1	/* per path: overdue ones beside them */
#ifndef P
#define P 3	/* per path: requests in all */
#endif

#define ALL	((1 << N) - 1)
#define BIT(n)	(1 << (n))
#define BELOW(n) (BIT(n) - 1)
/* how many of the first five bits are set */
#define SIZE(s)	(((s) & 1) + (((s) >> 1) & 1) + (((s) >> 2) & 1) + (((s) >> 3) & 1) + (((s) >> 4) & 1))

mtype = { running, converged, capped, nobody, stopped };

byte names[2];		/* whom a path's own informants named; private */
byte asked[2];		/* whom it asked */
byte air[2];		/* whose outcome is still to come */
byte late[2];		/* of these, the overdue */
byte answered, failed;	/* the table of outcomes, which the paths share */
mtype end = running;
byte ends;		/* how many ends there were */
bool begun;

/* ---- what a path may do ---- */

#define IN_SIGHT(p, n)	(SIZE(names[p] & answered & BELOW(n)) < K)
#ifdef ASKED_TWICE
#define ASKED(p)	asked[p]
#else
#define ASKED(p)	(asked[0] | asked[1])
#endif
#define NEW(p)		(names[p] & ~ASKED(p) & ALL)
#define OPEN(p, n)	((NEW(p) & BIT(n)) && IN_SIGHT(p, n))
#define WANTED(p, n)	((air[p] & BIT(n)) && IN_SIGHT(p, n))
/* eligible is the nearest new name if any is: what is in sight is a prefix */
#define ELIGIBLE(p)	(OPEN(p, 0) || OPEN(p, 1) || OPEN(p, 2) || OPEN(p, 3) || OPEN(p, 4))
#define NEEDS(p)	(WANTED(p, 0) || WANTED(p, 1) || WANTED(p, 2) || WANTED(p, 3) || WANTED(p, 4))
#define BUDGET(p)	(P - SIZE(asked[p]))
#define ROOM(p)		(SIZE(air[p] & ~late[p]) < ALPHA && SIZE(air[p]) < ALPHA + SPARE && BUDGET(p) > 0)
#define CAN_ASK(p)	(ROOM(p) && ELIGIBLE(p))
#ifdef ORPHAN_WAIT	/* D2: it waits for others' requests, and an ended path's outcomes are lost */
#define FLYING		((asked[0] | asked[1]) & ~(answered | failed))
#define STUCK(p, n)	((names[p] & FLYING & BIT(n)) && IN_SIGHT(p, n))
#define ORPHAN(p)	(STUCK(p, 0) || STUCK(p, 1) || STUCK(p, 2) || STUCK(p, 3) || STUCK(p, 4))
#define RECORDED(p)	WAITS(p)
#else
#define ORPHAN(p)	false
#define RECORDED(p)	true
#endif
#define WAITS(p)	((BUDGET(p) > 0 && ELIGIBLE(p)) || NEEDS(p) || ORPHAN(p))
#ifdef LOST_TIMER	/* D1: the hard deadline is not armed again after the soft one */
#define ARMED(p)	(air[p] & ~late[p])
#else
#define ARMED(p)	air[p]
#endif

/* ---- what must hold whenever all that is left is to wait ---- */

#define CAPS(p)	(SIZE(air[p]) <= ALPHA + SPARE && SIZE(air[p] & ~late[p]) <= ALPHA && SIZE(asked[p]) <= P)

inline check() {
	assert((asked[0] & asked[1]) == 0);		/* a peer is asked by one path */
	assert(CAPS(0) && CAPS(1));
	if
	:: end == running ->
		assert((air[0] | air[1]) != 0);		/* I1: no silent wait, */
		assert(ARMED(0) == air[0] && ARMED(1) == air[1]); /* each with a timer */
		assert(!WAITS(0) || air[0]);		/* D2: none for another path's request */
		assert(!WAITS(1) || air[1]);
		assert(!CAN_ASK(0) && !CAN_ASK(1))	/* I2: no free slot beside an eligible peer */
	:: else ->
		assert(ends == 1 && (air[0] | air[1]) == 0);	/* one end, nothing left */
		assert(end != converged || !(ELIGIBLE(0) || ELIGIBLE(1)))
	fi
}

/* ---- the transitions ---- */

inline finish(why) {
	end = (why != stopped && answered == 0 -> nobody : why);
	ends++;
	air[0] = 0; air[1] = 0; late[0] = 0; late[1] = 0
}

inline ask(p) {
	n = 0;
	do
	:: n < N && !OPEN(p, n) -> n++
	:: else -> break
	od;
	asked[p] = asked[p] | BIT(n);
	air[p] = air[p] | BIT(n);
	n = 0
}

/* Issue until no path can, whichever comes first, and see if it is over. */
inline settle() {
	do
	:: CAN_ASK(0) -> ask(0)
	:: CAN_ASK(1) -> ask(1)
	:: !CAN_ASK(0) && !CAN_ASK(1) -> break
	od;
	if
	:: WAITS(0) || WAITS(1)
	:: else -> if
		:: ELIGIBLE(0) || ELIGIBLE(1) -> finish(capped)
		:: else -> finish(converged)
		fi
	fi;
	check()
}

inline land(p, x) { air[p] = air[p] & ~x; late[p] = late[p] & ~x }

inline fail(p, x) {
	if
	:: RECORDED(p) -> failed = failed | x
	:: else
	fi;
	land(p, x)
}

inline answer(p, x) {
	if
	:: RECORDED(p) -> choose(told); answered = answered | x; names[p] = names[p] | told; told = 0
	:: else
	fi;
	land(p, x)
}

/* Any subset of the peers. */
inline choose(s) {
	n = 0; s = 0;
	do
	:: n < N -> s = s | BIT(n); n++
	:: n < N -> n++
	:: n == N -> break
	od;
	n = 0
}

/* Any one of the peers in a set that is not empty. */
inline pick(s) {
	n = 0;
	do
	:: n < N && (s & BIT(n)) -> break
	:: n < N && ((s) >> (n + 1)) != 0 -> n++
	od;
	x = BIT(n); n = 0
}

/* ---- the environment ---- */

/* The network owes nothing: it may be idle for ever. */
active proctype Network() {
	byte n, x, told, rest;
	/* seeds are split between the paths before the first request */
	atomic {
		choose(told); choose(rest);
		names[0] = told; names[1] = rest & ~told; told = 0; rest = 0;
		begun = true; settle()
	};
	do
	:: end == running
	:: atomic { end == running && air[0] != 0 -> pick(air[0]); answer(0, x); x = 0; settle() }
	:: atomic { end == running && air[1] != 0 -> pick(air[1]); answer(1, x); x = 0; settle() }
	:: atomic { end == running && air[0] != 0 -> pick(air[0]); fail(0, x); x = 0; settle() }
	:: atomic { end == running && air[1] != 0 -> pick(air[1]); fail(1, x); x = 0; settle() }
	/* cancel, or the absolute deadline: it may come, and nothing depends on it */
	:: atomic { end == running -> finish(stopped); check() }
	:: end != running -> break
	od
}

/* The timer is fair: what is armed comes, soft before hard. */
active proctype Timer() {
	byte n, x;
	begun;
	do
	:: atomic { end == running && (air[0] & ~late[0]) != 0 -> pick(air[0] & ~late[0]); late[0] = late[0] | x; x = 0; settle() }
	:: atomic { end == running && (air[1] & ~late[1]) != 0 -> pick(air[1] & ~late[1]); late[1] = late[1] | x; x = 0; settle() }
	:: atomic { end == running && (ARMED(0) & late[0]) != 0 -> pick(ARMED(0) & late[0]); fail(0, x); x = 0; settle() }
	:: atomic { end == running && (ARMED(1) & late[1]) != 0 -> pick(ARMED(1) & late[1]); fail(1, x); x = 0; settle() }
	:: end != running -> break
	od
}

/* Every lookup ends, though nobody answers and nobody cancels. */
ltl every_lookup_ends { <> (end != running) }
