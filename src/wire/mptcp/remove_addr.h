// REMOVE_ADDR: withdraws addresses by their IDs (RFC 8684 §3.4.2).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_remove_addr(Bytes bytes);
void emit(const RemoveAddr& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
