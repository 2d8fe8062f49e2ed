// A whole text to a descriptor that waits.
#pragma once

#include <string_view>

namespace weir::report {

/// In as many writes as it takes, over interruptions by signals. False: errno says why; a part may have been written.
bool write_all(int descriptor, std::string_view text);

}  // namespace weir::report
