// ADD_ADDR: offers a further address (RFC 8684 §3.4.1, RFC 6824 §3.4.1).
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_add_addr(Bytes bytes);
void emit(const AddAddr& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
