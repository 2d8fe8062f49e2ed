// MP_FAIL: a DSS checksum failed; from which DSN on to fall back (RFC 8684 §3.7).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_mp_fail(Bytes bytes);
void emit(const MpFail& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
