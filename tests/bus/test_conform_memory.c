#include "tests/bus/conformance.h"

#include <stdio.h>

static void fresh(struct bus_options *ret)
{
	static unsigned number;
	static char name[32];

	snprintf(name, sizeof(name), "conform-%u", number++);
	ret->backend = "memory";
	ret->path = name;
	ret->memory_durable = true;
}

int main(void)
{
	static const struct house house = {"bus_memory", HOUSE_RETAIN | HOUSE_TWICE, fresh, NULL};

	return conformance_run(&house);
}
