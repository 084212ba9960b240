#include "net/digest.h"

#include "base/check.h"

#include <openssl/evp.h>

void digest_sha512(const struct str *parts, size_t count, uint8_t ret[DIGEST_SHA512])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned len = 0;
	bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = parts[i].len == 0 ||
		    EVP_DigestUpdate(context, parts[i].ptr, parts[i].len) == 1;
	good = good && EVP_DigestFinal_ex(context, ret, &len) == 1;
	EVP_MD_CTX_free(context);
	/* Only for want of memory. */
	CHECK(good && len == DIGEST_SHA512);
}
