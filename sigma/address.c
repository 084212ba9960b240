#include "sigma/address.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool address_parse(struct str text, uint8_t ret[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, ret) == 1)
		return true;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, copy, ret + sizeof(mapped)) == 1;
}

bool cidr_parse(struct str text, struct cidr *ret)
{
	struct str rest = text, address;
	uint64_t bits;

	if (!str_cut(&rest, '/', &address) || !address_parse(address, ret->address))
		return false;
	bool four = str_find_char(address, ':') == STR_NOT_FOUND;

	bits = four ? 32 : 128;
	if (address.len != text.len && (!str_to_u64(rest, &bits) || bits > (four ? 32u : 128u)))
		return false;
	ret->bits = (unsigned)bits + (four ? 96 : 0);
	/* Host bits are cleared, so that one network has one form. */
	for (unsigned i = ret->bits; i < 128; i++)
		ret->address[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	return true;
}

bool address_in(const uint8_t address[16], const struct cidr *cidr)
{
	unsigned bytes = cidr->bits / 8, rest = cidr->bits % 8;

	if (memcmp(address, cidr->address, bytes) != 0)
		return false;
	return rest == 0 ||
	    ((address[bytes] ^ cidr->address[bytes]) & (uint8_t)(0xFF00u >> rest)) == 0;
}
