/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json_base64.h - bytes as a JSON string in base64. */
#ifndef P4SWITCH_JSON_BASE64_H
#define P4SWITCH_JSON_BASE64_H

#include <stddef.h>

struct json_object;

struct json_object *json_base64(const void *bytes, size_t len);

#endif
