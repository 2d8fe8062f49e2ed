// MP_PRIO: makes a subflow backup or regular (RFC 8684 §3.3.8, RFC 6824 §3.3.8).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_mp_prio(Bytes bytes);
void emit(const MpPrio& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
