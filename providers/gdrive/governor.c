/* Who may ask Drive now. */
#include "providers/gdrive/governor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"

#define MINUTE_MS 60000.0
#define LANE_UNITS 325000.0
#define PROJECT_UNITS 1000000.0
#define HOUR_MS (3600 * 1000LL)
#define N_HOURS 25
#define WRITES_PER_S \
	3.0 /* once writes were refused; it is what people report as sustained */
#define WRITES_LEAST 0.5
#define WRITES_MORE 0.02    /* for each that goes well */
#define WRITES_FREE 30.0    /* from here on it is not paced any more */
#define WRITE_BURST_MS 1000 /* what was not used may be made up for */
#define PAUSE_MAX_MS 64000
#define PAUSE_STEPS 6 /* 2^6 s are the longest */

static void lane_init(struct lane *lane, double units)
{
	*lane = (struct lane){ .units = units,
			       .filled_ms = clock_mono_ms(),
			       .hour = clock_wall_ms() / HOUR_MS };
}

int governor_init(struct governor *governor, size_t n_lanes)
{
	struct lane *lanes = calloc(n_lanes, sizeof(*lanes));

	if (!lanes)
		return -ENOMEM;
	for (size_t i = 0; i < n_lanes; i++)
		lane_init(&lanes[i], LANE_UNITS);
	mutex_init(&governor->lock);
	mutex_lock(&governor->lock);
	governor->lanes = lanes;
	governor->n_lanes = n_lanes;
	governor->next = 0;
	lane_init(&governor->project, PROJECT_UNITS);
	mutex_unlock(&governor->lock);
	return 0;
}

void governor_done(struct governor *governor)
{
	struct lane *lanes;

	if (!governor->n_lanes)
		return;
	mutex_lock(&governor->lock);
	lanes = governor->lanes;
	governor->lanes = NULL;
	mutex_unlock(&governor->lock);
	free(lanes);
	mutex_done(&governor->lock);
}

/* A token bucket that a minute without requests fills. The ms until UNITS are there; 0: they are. */
static int64_t wait_for_units(struct lane *lane, double per_minute, int units)
{
	int64_t now_ms = clock_mono_ms();

	lane->units += (double)(now_ms - lane->filled_ms) * per_minute / MINUTE_MS;
	if (lane->units > per_minute)
		lane->units = per_minute;
	lane->filled_ms = now_ms;
	if (lane->units >= units)
		return 0;
	return (int64_t)((units - lane->units) * MINUTE_MS / per_minute) + 1;
}

static int64_t wait_for(struct lane *lane, int units)
{
	int64_t closed_ms = lane->closed_ms - clock_mono_ms();

	return closed_ms > 0 ? closed_ms : wait_for_units(lane, LANE_UNITS, units);
}

int governor_enter(struct governor *governor, int units, size_t *ret_lane,
		   int64_t *ret_wait_ms)
{
	int64_t wait_ms = INT64_MAX;
	size_t n = governor->n_lanes, lane = n;

	mutex_lock(&governor->lock);
	for (size_t i = 0; i < n && lane == n; i++) {
		size_t next = (governor->next + i) % n;
		int64_t ms = wait_for(&governor->lanes[next], units);

		if (ms == 0)
			lane = next;
		else if (ms < wait_ms)
			wait_ms = ms;
	}
	if (lane < n) {
		wait_ms = wait_for_units(&governor->project, PROJECT_UNITS, units);
		if (wait_ms == 0) {
			governor->lanes[lane].units -= units;
			governor->project.units -= units;
			governor->next = lane + 1;
		}
	}
	mutex_unlock(&governor->lock);
	*ret_wait_ms = wait_ms;
	if (wait_ms)
		return -EAGAIN;
	*ret_lane = lane;
	return 0;
}

/* Forgets what is older than a day. */
static int64_t sent_today(struct lane *lane)
{
	int64_t hour = clock_wall_ms() / HOUR_MS, sum = 0;

	if (hour - lane->hour >= N_HOURS)
		lane->hour = hour - N_HOURS;
	while (lane->hour < hour)
		lane->day[++lane->hour % N_HOURS] = 0;
	for (size_t i = 0; i < N_HOURS; i++)
		sum += lane->day[i];
	return sum;
}

/* When the lane may send again, by the wall clock. */
static int64_t opens_ms(struct lane *lane)
{
	int64_t left = sent_today(lane);
	int64_t first = lane->hour - N_HOURS + 1;

	while (left >= GOVERNOR_DAY_BYTES && first <= lane->hour)
		left -= lane->day[first++ % N_HOURS];
	return (first - 1 + N_HOURS) * HOUR_MS;
}

/* The ms until a lane that is paced may write; it is for whoever is told 0. */
static int64_t wait_to_write(const struct lane *lane)
{
	int64_t wait_ms = lane->writes_per_s > 0 ? lane->write_ms - clock_mono_ms() : 0;

	return wait_ms > 0 ? wait_ms : 0;
}

static void take_write(struct lane *lane)
{
	int64_t now_ms = clock_mono_ms();

	if (lane->writes_per_s <= 0)
		return;
	if (lane->write_ms < now_ms - WRITE_BURST_MS)
		lane->write_ms = now_ms - WRITE_BURST_MS;
	lane->write_ms += (int64_t)(1000 / lane->writes_per_s);
}

int governor_enter_upload(struct governor *governor, int64_t bytes, size_t *ret_lane,
			  int64_t *ret_wait_ms)
{
	int64_t least = INT64_MAX, wait_ms = INT64_MAX, until_ms = INT64_MAX;
	size_t lane = governor->n_lanes;
	bool is_any_left = false;

	mutex_lock(&governor->lock);
	for (size_t i = 0; i < governor->n_lanes; i++) {
		int64_t sent = sent_today(&governor->lanes[i]);
		int64_t ms = wait_for(&governor->lanes[i], UNITS_EDIT);

		/* the file that crosses the line is still taken */
		if (sent >= GOVERNOR_DAY_BYTES) {
			if (opens_ms(&governor->lanes[i]) < until_ms)
				until_ms = opens_ms(&governor->lanes[i]);
			continue;
		}
		if (!ms)
			ms = wait_to_write(&governor->lanes[i]);
		is_any_left = true;
		if (ms && ms < wait_ms)
			wait_ms = ms;
		if (!ms && sent < least) {
			least = sent;
			lane = i;
		}
	}
	if (lane < governor->n_lanes) {
		governor->lanes[lane].units -= UNITS_EDIT;
		take_write(&governor->lanes[lane]);
	}
	mutex_unlock(&governor->lock);
	if (!is_any_left) {
		*ret_wait_ms = until_ms - clock_wall_ms();
		return -EDQUOT;
	}
	*ret_lane = lane;
	*ret_wait_ms = wait_ms;
	return lane < governor->n_lanes ? 0 : -EAGAIN;
}

static int64_t jitter_ms(void)
{
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint16_t)clock_mono_ms();
	return random % 1000;
}

int64_t governor_refused(struct governor *governor, size_t lane, int64_t retry_after_ms)
{
	int64_t now_ms = clock_mono_ms(), pause_ms, until_ms;
	struct lane *refused;

	mutex_lock(&governor->lock);
	refused = &governor->lanes[lane];
	if (retry_after_ms >= 0)
		pause_ms = retry_after_ms;
	else if (refused->n_refusals >= PAUSE_STEPS)
		pause_ms = PAUSE_MAX_MS;
	else
		pause_ms = (1000LL << refused->n_refusals) + jitter_ms();
	/* those who were under way when the lane closed make the pause no longer */
	if (now_ms >= refused->closed_ms)
		refused->n_refusals++;
	if (now_ms + pause_ms > refused->closed_ms &&
	    (retry_after_ms >= 0 || now_ms >= refused->closed_ms))
		refused->closed_ms = now_ms + pause_ms;
	until_ms = refused->closed_ms - now_ms;
	mutex_unlock(&governor->lock);
	return until_ms > 0 ? until_ms : 0;
}

void governor_pace(struct governor *governor, size_t lane)
{
	struct lane *refused;

	mutex_lock(&governor->lock);
	refused = &governor->lanes[lane];
	refused->writes_per_s =
		refused->writes_per_s > 0 ? refused->writes_per_s / 2 : WRITES_PER_S;
	if (refused->writes_per_s < WRITES_LEAST)
		refused->writes_per_s = WRITES_LEAST;
	mutex_unlock(&governor->lock);
}

void governor_went_well(struct governor *governor, size_t lane, bool is_write)
{
	struct lane *well = NULL;

	mutex_lock(&governor->lock);
	well = &governor->lanes[lane];
	if (clock_mono_ms() >= well->closed_ms)
		well->n_refusals = 0;
	if (is_write && well->writes_per_s > 0)
		well->writes_per_s += WRITES_MORE;
	if (well->writes_per_s > WRITES_FREE)
		well->writes_per_s = 0;
	mutex_unlock(&governor->lock);
}

void governor_sent(struct governor *governor, size_t lane, int64_t bytes)
{
	mutex_lock(&governor->lock);
	sent_today(&governor->lanes[lane]);
	governor->lanes[lane].day[governor->lanes[lane].hour % N_HOURS] += bytes;
	mutex_unlock(&governor->lock);
}

void governor_get_quota(struct governor *governor, struct provider_quota *ret)
{
	int64_t until_ms = INT64_MAX, now_ms = clock_wall_ms();

	*ret = (struct provider_quota){ 0 };
	mutex_lock(&governor->lock);
	for (size_t i = 0; i < governor->n_lanes; i++) {
		struct lane *lane = &governor->lanes[i];
		int64_t closed_ms = lane->closed_ms - clock_mono_ms();
		int64_t sent = sent_today(lane), opens = now_ms;

		ret->sent += sent;
		ret->limit += GOVERNOR_DAY_BYTES;
		if (sent >= GOVERNOR_DAY_BYTES)
			opens = opens_ms(lane);
		else if (closed_ms > 0)
			opens = now_ms + closed_ms;
		if (opens < until_ms)
			until_ms = opens;
	}
	mutex_unlock(&governor->lock);
	ret->opens_ms = until_ms > now_ms ? until_ms : 0;
}

/* ---- over restarts ---- */

static void add_lane(struct buf *text, const char *name, struct lane *lane)
{
	if (!sent_today(lane))
		return;
	buf_adds(text, name);
	for (int64_t hour = lane->hour - N_HOURS + 1; hour <= lane->hour; hour++) {
		if (lane->day[hour % N_HOURS])
			buf_addf(text, " %" PRId64 ":%" PRId64, hour,
				 lane->day[hour % N_HOURS]);
	}
	buf_addc(text, '\n');
}

char *governor_save(struct governor *governor, const char *const *names)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_adds(&text, "");
	mutex_lock(&governor->lock);
	for (size_t i = 0; i < governor->n_lanes; i++)
		add_lane(&text, names[i], &governor->lanes[i]);
	mutex_unlock(&governor->lock);
	return text.has_failed ? NULL : strdup(buf_str(&text));
}

static void load_lane(struct lane *lane, const char *text)
{
	sent_today(lane);
	while (*text == ' ') {
		char *end;
		int64_t hour = strtoll(text, &end, 10), bytes;

		if (*end != ':')
			return;
		bytes = strtoll(end + 1, &end, 10);
		if (end[-1] == ':' || bytes < 0 || bytes > INT64_MAX / 100)
			return;
		if (hour <= lane->hour && hour > lane->hour - N_HOURS)
			lane->day[hour % N_HOURS] += bytes;
		text = end;
	}
}

void governor_load(struct governor *governor, const char *const *names, const char *text)
{
	mutex_lock(&governor->lock);
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		for (size_t i = 0; i < governor->n_lanes; i++) {
			size_t len = strlen(names[i]);

			if (strncmp(text, names[i], len) == 0 && text[len] == ' ')
				load_lane(&governor->lanes[i], text + len);
		}
	}
	mutex_unlock(&governor->lock);
}
