// MP_CAPABLE: opens a connection, tells the keys (RFC 8684 §3.1, RFC 6824 §3.1).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_mp_capable(Bytes bytes);
void emit(const MpCapable& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
