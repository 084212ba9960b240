#include "collector/relp.h"

#define TXNR_DIGITS 9
#define LENGTH_DIGITS 9
#define COMMAND_MAX 32


/* A number and the byte behind it, which stays. */
static enum relp_status take_number(struct str *bytes, size_t digits, uint32_t *ret)
{
	size_t at = 0;

	for (*ret = 0; at < bytes->len && at < digits && char_is_digit(bytes->ptr[at]); at++)
		*ret = *ret * 10 + (uint32_t)(bytes->ptr[at] - '0');
	if (at == bytes->len)
		return RELP_MORE;
	*bytes = str_slice(*bytes, at, bytes->len);
	return at > 0 ? RELP_FRAME : RELP_BAD;
}

static enum relp_status take_space(struct str *bytes)
{
	if (bytes->len == 0)
		return RELP_MORE;
	if (bytes->ptr[0] != ' ')
		return RELP_BAD;
	*bytes = str_slice(*bytes, 1, bytes->len);
	return RELP_FRAME;
}

static enum relp_status take_command(struct str *bytes, struct str *ret)
{
	size_t at = 0;

	while (at < bytes->len && at < COMMAND_MAX && char_is_alpha(bytes->ptr[at]))
		at++;
	if (at == bytes->len)
		return RELP_MORE;
	*ret = str_slice(*bytes, 0, at);
	*bytes = str_slice(*bytes, at, bytes->len);
	return at > 0 ? RELP_FRAME : RELP_BAD;
}

/* Up to and with the length; what stands behind it is looked at, not taken. */
static enum relp_status take_head(struct str *bytes, struct relp_frame *ret, uint32_t *len)
{
	enum relp_status status = take_number(bytes, TXNR_DIGITS, &ret->txnr);

	if (status == RELP_FRAME)
		status = take_space(bytes);
	if (status == RELP_FRAME)
		status = take_command(bytes, &ret->command);
	if (status == RELP_FRAME)
		status = take_space(bytes);
	if (status == RELP_FRAME)
		status = take_number(bytes, LENGTH_DIGITS, len);
	return status;
}

/* Old senders put a space before the LF of a frame without data. */
static enum relp_status take_empty(struct str *rest)
{
	if (rest->ptr[0] == ' ')
		*rest = str_slice(*rest, 1, rest->len);
	if (rest->len == 0)
		return RELP_MORE;
	if (rest->ptr[0] != '\n')
		return RELP_BAD;
	*rest = str_slice(*rest, 1, rest->len);
	return RELP_FRAME;
}

static enum relp_status take_data(
    struct relp *relp, struct str *rest, uint32_t len, struct relp_frame *ret)
{
	enum relp_status status = take_space(rest);

	if (status != RELP_FRAME)
		return status;
	if (rest->len < len && rest->len < relp->limit)
		return RELP_MORE;
	ret->data = str_slice(*rest, 0, len < relp->limit ? len : relp->limit);
	ret->cut = len > relp->limit;
	if (!ret->cut && rest->len == len)
		return RELP_MORE;
	if (!ret->cut && rest->ptr[len] != '\n')
		return RELP_BAD;
	relp->left = len + 1 - ret->data.len;
	*rest = str_slice(*rest, ret->data.len, rest->len);
	return RELP_FRAME;
}

/* Passes over what is left of a frame, and its LF. */
static enum relp_status pass_over(struct relp *relp, struct str *bytes)
{
	size_t passed = relp->left < bytes->len ? relp->left : bytes->len;

	if (relp->left > 0 && passed == relp->left && bytes->ptr[passed - 1] != '\n')
		return RELP_BAD;
	*bytes = str_slice(*bytes, passed, bytes->len);
	relp->left -= passed;
	return relp->left > 0 ? RELP_MORE : RELP_FRAME;
}

enum relp_status relp_next(struct relp *relp, struct str *bytes, struct relp_frame *ret)
{
	enum relp_status status = pass_over(relp, bytes);
	struct str rest = *bytes;
	uint32_t len;

	*ret = (struct relp_frame){0};
	if (status == RELP_FRAME)
		status = take_head(&rest, ret, &len);
	if (status == RELP_FRAME && len > RELP_DATA_MAX)
		status = RELP_BAD;
	if (status == RELP_FRAME)
		status = len == 0 ? take_empty(&rest) : take_data(relp, &rest, len, ret);
	if (status == RELP_FRAME)
		*bytes = rest;
	return status;
}
