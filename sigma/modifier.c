#include "sigma/modifier.h"

#define MODIFIER(symbol) extern const struct modifier modifier_##symbol;
#include "sigma/modifiers.def"
#undef MODIFIER

static const struct modifier *const modifiers[] = {
#define MODIFIER(symbol) &modifier_##symbol,
#include "sigma/modifiers.def"
#undef MODIFIER
};

size_t modifier_count(void)
{
	return sizeof(modifiers) / sizeof(modifiers[0]);
}

const struct modifier *modifier_at(size_t index)
{
	return modifiers[index];
}

const struct modifier *modifier_find(struct str name)
{
	for (size_t i = 0; i < modifier_count(); i++) {
		if (str_eq(name, str_of(modifiers[i]->name)))
			return modifiers[i];
	}
	return NULL;
}

static int apply_to(const struct modifier *modifier, struct item *item, struct value *values,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int code = values[i].kind == VALUE_ANY_OF
		    ? apply_to(modifier, item, values[i].variants, values[i].variant_count)
		    : modifier->value(item, &values[i]);

		if (code < 0)
			return code;
	}
	return 0;
}

int modifier_apply(const struct modifier *modifier, struct item *item)
{
	if (modifier->item != NULL)
		return modifier->item(item);
	return apply_to(modifier, item, item->values, item->value_count);
}

int value_refuse(struct item *item, const struct value *value)
{
	return builder_refuse_node(item->builder, value->node, TEXT_sigma_modifier_value,
	    STR_ARG(item->modifier));
}

int value_want_string(struct item *item, struct value *value)
{
	if (value->kind == VALUE_NUMBER)
		return value_set_text(item, value, value->scalar);
	return value->kind == VALUE_STRING ? 0 : value_refuse(item, value);
}

int value_want_text(struct item *item, struct value *value, struct str *ret)
{
	int code = value_want_string(item, value);

	if (code < 0)
		return code;
	if (!glob_is_plain(value->glob, ret) || value->dashed)
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_modifier_wildcard,
		    STR_ARG(item->modifier));
	return 0;
}

int value_want_scalar(struct item *item, struct value *value)
{
	if (value->touched || (value->kind != VALUE_STRING && value->kind != VALUE_NUMBER))
		return value_refuse(item, value);
	value->touched = true;
	return 0;
}

int value_want_number(struct item *item, struct value *value)
{
	if (value->touched || !str_to_double(value->scalar, &value->number))
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_modifier_number,
		    STR_ARG(item->modifier));
	value->touched = true;
	return 0;
}

int value_set_text(struct item *item, struct value *value, struct str text)
{
	value->kind = VALUE_STRING;
	if (!glob_literal(item->builder->arena, text, &value->glob))
		return builder_no_memory(item->builder);
	return 0;
}
