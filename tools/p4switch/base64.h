/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64.h - bytes as a JSON string in base64. */
#ifndef P4SWITCH_BASE64_H
#define P4SWITCH_BASE64_H

#include <stddef.h>

struct json_object;

struct json_object *base64_string(const void *bytes, size_t size);

#endif
