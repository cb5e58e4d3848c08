/* The supervisor of the bootstraps, for spin: the transitions of
 * supervisor.qnt, every schedule of them, and liveness under fairness.
 * README.md says how to run it.
 *
 * -DNO_DEADLINE, -DFORGETS_CHANGE and -DHOT_LOOP plant the defects of supervisor.qnt.
 */
#define LONGEST 3	/* pauses double this often: RetryFirst to RetryMax */

mtype = { starting, ready, degraded, offline };	/* how the node is */
mtype = { due, pause, period, none };		/* when the next bootstrap begins */

mtype state = starting;
mtype next = due;
bool running;	/* a bootstrap is under way */
bool again;	/* the world changed under it */
bool whole = true;	/* "full": it asks seeds too; a periodic refresh does not */
byte fails;	/* bootstraps in a row that did not end well */

/* What is so, and not the supervisor's to know. */
bool up;	/* a seed can be reached */
bool awake = true;
bool served;	/* one could be since this bootstrap began, and it asks seeds */
bool owed = true;	/* the world changed, and no bootstrap has begun since */
bool cause = true;	/* time has passed or something happened since the last bootstrap */

#ifdef NO_DEADLINE	/* D1: a bootstrap that nobody answers is waited for */
#define DEADLINE false
#else
#define DEADLINE true
#endif

inline check() {
	assert(!running || served || DEADLINE);		/* I1: what runs has a deadline, */
	assert(running || next != none);		/* or the next is planned */
	assert(!owed || running || next == due);	/* no change is lost */
	assert(!running || cause);			/* no hot loop */
	assert(fails <= LONGEST);
	assert(running || state == ready || whole)	/* not ready: seeds are asked */
}

/* ---- the supervisor ---- */

inline begin() {
	running = true; again = false; next = none;
	served = up && whole; owed = false;
	check()
}

inline good() {
	state = ready; fails = 0; whole = again;
	next = (again -> due : period);
	over()
}

inline bad(how) {
	state = how; whole = true;
#ifdef HOT_LOOP
	next = due;
#else
	next = (again -> due : pause);
#endif
	fails = (fails < LONGEST -> fails + 1 : fails);
	over()
}

inline over() {
	running = false; served = false; cause = owed;
	check()
}

inline change() {
	state = (state == ready -> degraded : state);
#ifndef FORGETS_CHANGE
	again = running;
#endif
	fails = 0; whole = true;
	next = (running -> none : due);
	owed = true; cause = true;
	check()
}

inline look(how) { state = how; whole = true; next = due; cause = true; check() }

/* ---- what happens ---- */

/* The timer is fair, and so is what a bootstrap owes: with a seed all the time
 * it ends well, and without one its deadline ends it. */
active proctype Timer() {
	do
	:: atomic { awake && !running && (next == pause || next == period) -> next = due; cause = true; check() }
	:: atomic { awake && !running && next == due -> begin() }
	:: atomic { awake && running && served -> good() }
	:: atomic { awake && running && !served && DEADLINE -> bad(offline) }
	od
}

/* The world owes nothing. */
active proctype World() {
	do
	:: awake || !awake	/* idle */
	:: atomic { awake && running && !served && up -> good() }
	:: atomic { awake && running && !served && up -> bad(degraded) }
	:: atomic { awake && running && !served -> bad(offline) }
	:: atomic { awake -> change() }
	:: atomic { awake && !running && state == ready -> look(degraded) }
	:: atomic { awake && !running && state == ready -> look(offline) }
	:: atomic { awake && !running && state == ready && next == period -> whole = true; check() }
	:: atomic { !up -> up = true }
	:: atomic { up -> up = false; served = false }
	:: atomic { awake -> awake = false; served = false }
	:: atomic { !awake -> awake = true; change() }
	od
}

/* While it is awake it goes on trying, and every try ends. */
ltl never_gives_up { <>[] awake -> ([]<> running && []<> !running) }

/* From when a seed can be reached, the node is on its way to ready. */
ltl comes_back { <>[] (awake && up) -> []<> (state == ready) }

/* The same for a seed that is up only now and then, if it is there often
 * enough when the node asks, for as long as a bootstrap takes ... */
ltl comes_back_now_and_then { []<> (running && served) && [] (served -> (served U !running)) -> []<> (state == ready) }

/* ... and not otherwise: up only during the pauses, it helps nobody. spin must
 * find this one false. */
ltl comes_back_whenever { <>[] awake && []<> up -> []<> (state == ready) }
