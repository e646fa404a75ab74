/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * replay: runs one case of tests/replay/<provider>/: what a provider must send, and what it must make of the reply, as
 * the vendor documents it. The format is in tests/replay/README.md. Pure functions of the provider only: no socket.
 */
#include "base/strbuf.h"

/** @param text of the case. @param faults one line for each thing that does not hold; empty = the case holds. */
void replay_run(struct view text, const char *provider, struct strbuf *faults);
