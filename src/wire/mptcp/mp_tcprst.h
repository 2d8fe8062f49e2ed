// MP_TCPRST: why a subflow is reset (RFC 8684 §3.6); v1 only.
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_mp_tcprst(Bytes bytes);
void emit(const MpTcprst& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
