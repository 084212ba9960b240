/*
 * Windows events that came as fields: NXLog's flat JSON, Winlogbeat's and Elastic Agent's nested
 * one, Wazuh's, Graylog's, OpenTelemetry's, what converters make of evtx and XML, Snare's columns,
 * Windows' XML. Names become Sigma's, and the channel and event id tell service and categories; all
 * of it is data in windows.def.
 */
#include "decoder/decoders.h"

#include <string.h>

#include "decoder/alias.h"
#include "decoder/scan.h"
#include "decoder/windows.h"

/* "Account Name" is AccountName in Sigma. */
static struct str without_spaces(struct record *record, struct str name)
{
	char *out;
	size_t n = 0;

	if (str_find_char(name, ' ') == STR_NOT_FOUND)
		return name;
	out = arena_alloc(record->arena, name.len);
	if (out == NULL)
		return name;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] != ' ')
			out[n++] = name.ptr[i];
	}
	return str_from(out, n);
}

enum pair_part { PAIR_NONE, PAIR_NAME, PAIR_TEXT };

/* Converters of XML name an attribute and the text beside it each in their own way. */
static enum pair_part pair_part(struct str name)
{
	static const struct {
		struct str name;
		enum pair_part part;
	} parts[] = {{STR_INIT("Data.@Name"), PAIR_NAME}, {STR_INIT("Data.#text"), PAIR_TEXT},
	    {STR_INIT("Data.#attributes.Name"), PAIR_NAME}, {STR_INIT("Data.$.Name"), PAIR_NAME},
	    {STR_INIT("Data._"), PAIR_TEXT}, {STR_INIT("Data.Name"), PAIR_NAME},
	    {STR_INIT("Data.content"), PAIR_TEXT}, {STR_INIT("Data.Value"), PAIR_TEXT}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (str_eq(parts[i].name, name))
			return parts[i].part;
	}
	return PAIR_NONE;
}

/*
 * {"@Name": "Image", "#text": "..."} of <Data Name="Image">: the text's field takes the name. The
 * two may stand in either order, the same in all of an event; an empty element has no text.
 */
static void name_pairs(struct record *record, struct notes *notes)
{
	enum pair_part first = PAIR_NONE;
	struct note *held = NULL;

	for (size_t i = 0; i < notes->count; i++) {
		struct note *note = &notes->notes[i];
		enum pair_part part = note->key.flags & KEY_RENAMED
		    ? pair_part(record->fields[note->field].name) : PAIR_NONE;

		if (part == PAIR_NONE)
			continue;
		if (first == PAIR_NONE)
			first = part;
		if (part == first) {
			held = note;
		} else if (held != NULL) {
			struct note *text = part == PAIR_TEXT ? note : held;
			struct str name =
			    record->fields[(part == PAIR_NAME ? note : held)->field].value;

			record->fields[text->field].name = without_spaces(record, name);
			text->is_bare = false;
			held = NULL;
		}
	}
}

/*
 * Wazuh's manager writes the first letter of a name small, and (all versions but a few) the escapes
 * of a value twice over, so that each backslash is two: in such an event every run of them is even.
 */
static struct str first_upper(struct record *record, struct str name)
{
	char *out = name.len > 0 && name.ptr[0] >= 'a' && name.ptr[0] <= 'z'
	    ? arena_alloc(record->arena, name.len) : NULL;

	if (out == NULL)
		return name;
	memcpy(out, name.ptr, name.len);
	out[0] = (char)(out[0] - 'a' + 'A');
	return str_from(out, name.len);
}

static bool has_odd_backslashes(struct str value)
{
	for (size_t i = 0, run = 0; i <= value.len; i++) {
		bool is_one = i < value.len && value.ptr[i] == '\\';

		if (!is_one && run % 2 != 0)
			return true;
		run = is_one ? run + 1 : 0;
	}
	return false;
}

static struct str backslashes_halved(struct record *record, struct str value)
{
	size_t n = 0;
	char *out = str_find_char(value, '\\') == STR_NOT_FOUND ? NULL
	    : arena_alloc(record->arena, value.len);

	if (out == NULL)
		return value;
	for (size_t i = 0; i < value.len; i++) {
		out[n++] = value.ptr[i];
		i += value.ptr[i] == '\\';
	}
	return str_from(out, n);
}

/* Before their names lose what is in front of them. */
static void mend_wazuh(struct record *record, struct notes *notes)
{
	bool doubled = true;

	for (size_t i = 0; i < notes->count; i++) {
		const struct note *note = &notes->notes[i];
		const struct field *field = &record->fields[note->field];

		doubled &= (note->key.flags & KEY_WAZUH) == 0 || !has_odd_backslashes(field->value);
	}
	for (size_t i = 0; doubled && i < notes->count; i++) {
		const struct note *note = &notes->notes[i];
		struct field *field = &record->fields[note->field];

		if (note->key.flags & KEY_WAZUH)
			field->value = backslashes_halved(record, field->value);
	}
}

static void rename_field(struct record *record, struct note *note)
{
	struct field *field = &record->fields[note->field];
	bool wazuh = (note->key.flags & KEY_WAZUH) != 0;

	field->name = str_slice(field->name, note->key.prefix, field->name.len);
	if (wazuh) {
		field->name = first_upper(record, field->name);
		note->is_bare = false;
	}
	if (!note->is_bare)
		field->name = without_spaces(record, field->name);
}

static void rename_fields(struct record *record, struct notes *notes)
{
	bool pairs = false;

	if (notes->flags & KEY_WAZUH)
		mend_wazuh(record, notes);
	for (size_t i = 0; i < notes->count; i++) {
		struct note *note = &notes->notes[i];

		if ((note->key.flags & KEY_RENAMED) == 0)
			continue;
		rename_field(record, note);
		pairs |= str_starts(record->fields[note->field].name, STR("Data."));
	}
	if (pairs)
		name_pairs(record, notes);
	notes_again(notes, record);
}

/* A name may stand for several; the first that is not there yet is given. */
static void put_naming(struct record *record, const struct note *note)
{
	struct field field = record->fields[note->field];
	const struct windows_naming *naming;
	size_t index = note->key.naming;

	while ((naming = windows_naming(field.name, &index)) != NULL) {
		if (record_get(record, naming->id) == NULL) {
			record_put_field(
			    record, naming->id, naming->name, field.kind, field.value);
			return;
		}
	}
}

static void normalise(struct record *record, struct notes *notes)
{
	if (notes->flags & KEY_RENAMED)
		rename_fields(record, notes);
	if ((notes->flags & KEY_NAMING) == 0)
		return;
	for (size_t i = 0; i < notes->count; i++) {
		if (notes->notes[i].key.flags & KEY_NAMING)
			put_naming(record, &notes->notes[i]);
	}
}

static bool has_value(const struct record *record, struct str name, struct str value)
{
	for (size_t i = 0; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name) &&
		    str_eq_fold(record->fields[i].value, value))
			return true;
	}
	return name.len == 0;
}

static const struct field *find(const struct record *record, enum field_id id, struct str name)
{
	return id != FIELD_OTHER ? record_get(record, id) : record_find(record, name);
}

static void put_kind(struct record *record, const struct windows_kind *kind)
{
	for (size_t i = 0; i < kind->category_count; i++) {
		const struct windows_category *c = &kind->categories[i];

		if (c->field.len == 0 || has_value(record, c->field, c->value))
			record_category(record, c->name);
	}
	for (size_t i = 0; i < kind->rename_count; i++) {
		const struct windows_rename *r = &kind->renames[i];
		const struct field *from = find(record, r->from_id, r->from);

		if (from != NULL && find(record, r->name_id, r->name) == NULL)
			record_put_named(record, r->name, from->kind, from->value);
	}
}

static bool is_word(char c)
{
	return char_is_alpha(c) || char_is_digit(c);
}

/*
 * Fluent Bit gives the values of an event without their names, and its text. Sysmon's text is a
 * title and then lines "Image: C:\..." in all languages of Windows; others' texts name other things.
 */
static void put_sysmon_text(struct record *record)
{
	struct str rest = record->message, line;

	if (record_get(record, FIELD_IMAGE) != NULL ||
	    record_find(record, STR("StringInserts")) == NULL)
		return;
	while (str_cut(&rest, '\n', &line)) {
		size_t colon = str_find(line, STR(": "));

		if (colon == STR_NOT_FOUND || !scan_all(str_slice(line, 0, colon), is_word))
			continue;
		record_put_named(record, str_slice(line, 0, colon), FIELD_STRING,
		    str_trim(str_slice(line, colon + 2, line.len)));
	}
}

/*
 * The machine that the event is about stands before the collector that a header or an agent names.
 */
static void put_host(struct record *record)
{
	struct str computer = record_value(record, FIELD_COMPUTER);
	size_t count = record->field_count;

	if (computer.len == 0)
		return;
	size_t first = record->first[FIELD_HOST];

	record_put(record, FIELD_HOST, computer);
	if (first > 0 && record->field_count > count) {
		struct field other = record->fields[first - 1];

		record->fields[first - 1] = record->fields[count];
		record->fields[count] = other;
	}
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	(void)text;
	notes_take(notes, record);
	if ((notes->flags & KEY_CHANNEL) == 0)
		return DECODE_NO;
	normalise(record, notes);
	const struct field *event = record_get(record, FIELD_EVENTID);
	if (event == NULL)
		return DECODE_NO;
	struct str id = event->value;
	record->product = windows_product(record_value(record, FIELD_CHANNEL));
	record->service = windows_service(record_value(record, FIELD_CHANNEL));
	const struct windows_kind *kind = windows_kind(record->service, id);

	if (str_eq(record->service, STR("sysmon")))
		put_sysmon_text(record);
	if (kind != NULL)
		put_kind(record, kind);
	put_host(record);
	notes_pass(notes, record);
	alias_time(record, notes, 0);
	return DECODE_YES;
}

const struct decoder decode_windows = {
    .name = "windows",
    .stage = DECODER_SOURCE,
    .summary = "Windows events of NXLog, Winlogbeat, Elastic Agent, Graylog, Wazuh, OpenTelemetry, "
	       "Snare, Splunk and converters of evtx under Sigma's names",
    .decode_noted = decode,
};
