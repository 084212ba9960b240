/*
 * fold.h - text without regard to case: simple case folding, for rules and for events alike.
 */
#ifndef TOCSIN_SIGMA_FOLD_H
#define TOCSIN_SIGMA_FOLD_H

#include "base/arena.h"

#define FOLD_PADDING 64 /* zero bytes behind what fold_padded gives, which may be read */

/* text case folded (utf8_fold); text itself when nothing changes. ptr NULL: no memory. */
struct str fold_text(struct arena *arena, struct str text);
/*
 * The same, always a copy, with FOLD_PADDING readable zero bytes behind it, so that the hot loops
 * need not end with care. ptr NULL: no memory.
 */
struct str fold_padded(struct arena *arena, struct str text);
/*
 * Folds ASCII letters only, other bytes stay as they are, to to: text.len bytes and FOLD_PADDING
 * zeros. True: text is all ASCII, and this is its fold.
 */
bool fold_ascii(char *to, struct str text);
/*
 * Whether no character beyond ASCII folds to ASCII: U+017F and U+212A fold to s and k, no others.
 * Then ASCII literals may be looked for in text that is not folded.
 */
bool fold_keeps_ascii(struct str text);

#endif
