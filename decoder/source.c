#include "decoder/source.h"

struct source {
	struct str product, category, service;
};

/* The rows of windows.def and programs.def that name no source are empty here. */
static const struct source sources[] = {
#define SERVICE(service, channel) {STR_INIT("windows"), STR_INIT(""), STR_INIT(service)},
#define CATEGORY(category, service, event, field, value)                                           \
	{STR_INIT("windows"), STR_INIT(category), STR_INIT(service)},
#define RENAME(service, event, name, original)
#define PREFIX(prefix)
#define NAME(name, meant)
#include "decoder/windows.def"
#undef NAME
#undef PREFIX
#undef RENAME
#undef CATEGORY
#undef SERVICE
#define PROGRAM(name, decoder, service) {STR_INIT("linux"), STR_INIT(""), STR_INIT(service)},
#include "decoder/programs.def"
#undef PROGRAM
#define SOURCE(product, category, service)                                                         \
	{STR_INIT(product), STR_INIT(category), STR_INIT(service)},
#define LISTING(product, category, names)
#include "decoder/sources.def"
#undef LISTING
#undef SOURCE
};

struct category {
	struct str name, service, event, field, value;
};

static const struct category categories[] = {
#define SERVICE(service, channel)
#define CATEGORY(category, service, event, field, value)                                           \
	{STR_INIT(category), STR_INIT(service), STR_INIT(event), STR_INIT(field), STR_INIT(value)},
#define RENAME(service, event, name, original)
#define PREFIX(prefix)
#define NAME(name, meant)
#include "decoder/windows.def"
#undef NAME
#undef PREFIX
#undef RENAME
#undef CATEGORY
#undef SERVICE
};

struct listing {
	struct str product, category, names;
};

static const struct listing listings[] = {
#define SOURCE(product, category, service)
#define LISTING(product, category, names)                                                          \
	{STR_INIT(product), STR_INIT(category), STR_INIT(names)},
#include "decoder/sources.def"
#undef LISTING
#undef SOURCE
};

#define SOURCES  (sizeof(sources) / sizeof(sources[0]))
#define CATEGORIES (sizeof(categories) / sizeof(categories[0]))
#define LISTINGS (sizeof(listings) / sizeof(listings[0]))

static bool covers(struct str wanted, struct str given)
{
	return wanted.len == 0 || str_eq(wanted, given) || str_eq(given, STR("*"));
}

bool source_is_given(struct str product, struct str category, struct str service)
{
	for (size_t i = 0; i < SOURCES; i++) {
		if (covers(product, sources[i].product) && covers(category, sources[i].category) &&
		    covers(service, sources[i].service))
			return true;
	}
	return false;
}

/* An event of that row's kind is of the other row's category, too. */
static bool goes_with(const struct category *row, const struct category *other)
{
	return str_eq(row->service, other->service) && str_eq(row->event, other->event) &&
	    (other->field.len == 0 ||
	        (str_eq(row->field, other->field) && str_eq(row->value, other->value)));
}

static struct source_given kind_given(const struct category *row)
{
	struct source_given given = {.product = STR("windows"), .service = row->service};

	for (size_t i = 0; i < CATEGORIES && given.category_count < RECORD_CATEGORIES; i++)
		if (goes_with(row, &categories[i]))
			given.categories[given.category_count++] = categories[i].name;
	return given;
}

static struct source_given row_given(const struct source *row)
{
	struct source_given given = {.product = row->product};

	if (!str_eq(row->service, STR("*")))
		given.service = row->service;
	if (row->category.len > 0)
		given.categories[given.category_count++] = row->category;
	return given;
}

/* The kinds of Windows events, then the rows, of which some give these kinds once more. */
bool source_next(size_t *at, struct source_given *ret)
{
	if (*at >= CATEGORIES + SOURCES)
		return false;
	*ret = *at < CATEGORIES ? kind_given(&categories[*at])
	                        : row_given(&sources[*at - CATEGORIES]);
	++*at;
	return true;
}

/* The name as the listing has it, upper and lower case being the same; else empty. */
static struct str listing_find(const struct listing *listing, struct str field)
{
	struct str rest = listing->names, name;

	while (str_cut(&rest, ' ', &name)) {
		if (name.len > 0 && str_eq_fold(name, field))
			return name;
	}
	return STR_NONE;
}

bool source_has_field(struct str product, struct str category, struct str field,
    struct str *ret_near)
{
	bool closed = false;
	struct str near = STR_NONE;

	if (ret_near != NULL)
		*ret_near = STR_NONE;
	for (size_t i = 0; i < LISTINGS; i++) {
		const struct listing *listing = &listings[i];
		bool own = category.len > 0 && str_eq(listing->category, category);

		if (!covers(listing->product, product) || (!own && listing->category.len > 0))
			continue;
		struct str name = listing_find(listing, field);

		if (str_eq(name, field))
			return true;
		near = name.len > 0 ? name : near;
		closed |= own;
	}
	if (!closed && near.len == 0)
		return true;
	if (ret_near != NULL)
		*ret_near = near;
	return false;
}
