// DSS: DATA_ACK and data sequence mapping (RFC 8684 §3.3).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_dss(Bytes bytes);
void emit(const Dss& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
