// MP_FASTCLOSE: ends the connection at once (RFC 8684 §3.5).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_mp_fastclose(Bytes bytes);
void emit(const MpFastclose& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
