#include "bus/settings.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"

#define PASSWORD_BYTES 4096u

static bool is_secret(struct str name)
{
	return str_ends(name, STR(".password")) || str_ends(name, STR(".secret"));
}

/* The first line; a line behind it ends with LF or not. */
static int password_read(
    struct arena *arena, const char *path, struct str *ret, struct error *error)
{
	struct stat is;
	struct str text, line;

	if (stat(path, &is) != 0)
		return error_system(error, errno, TEXT_base_open, path);
	if ((is.st_mode & 0007) != 0)
		return error_set(error, ERR_DOCUMENT, TEXT_bus_password, path,
		    (unsigned)is.st_mode & 07777u);
	int code = file_read(arena, path, PASSWORD_BYTES, &text, error);

	if (code < 0)
		return code;
	if (!str_cut(&text, '\n', &line) || line.len == 0)
		return error_set(error, ERR_DOCUMENT, TEXT_bus_password_empty, path);
	*ret = line;
	return str_find_char(line, '\0') != STR_NOT_FOUND
		   ? error_set(error, ERR_DOCUMENT, TEXT_bus_password_empty, path)
		   : 0;
}

int bus_settings_read(struct arena *arena, const struct config *config, enum config_key map,
    enum config_key password_file, struct bus_setting **ret, size_t *ret_count,
    struct error *error)
{
	size_t count = config_count(config, map);
	struct bus_setting *settings = arena_array(arena, count + 1, sizeof(*settings));
	struct str path = config_text(config, password_file), password;

	if (settings == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 0; i < count; i++) {
		settings[i].name = config_name(config, map, i);
		settings[i].value = config_item(config, map, i);
		if (is_secret(settings[i].name))
			return error_set(error, ERR_DOCUMENT, TEXT_bus_secret,
			    STR_ARG(config_key_text(map)), STR_ARG(settings[i].name),
			    STR_ARG(config_key_text(password_file)));
	}
	*ret = settings;
	*ret_count = count;
	if (path.len == 0)
		return 0;
	int code = password_read(arena, path.ptr, &password, error);

	if (code < 0)
		return code;
	settings[count].name = STR("sasl.password");
	settings[count].value.ptr = arena_cstr(arena, password);
	settings[count].value.len = password.len;
	*ret_count = count + 1;
	return settings[count].value.ptr == NULL
		   ? error_set(error, ERR_MEMORY, TEXT_base_memory)
		   : 0;
}
