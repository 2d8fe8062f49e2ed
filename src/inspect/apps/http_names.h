// Names of files, as HTTP gives them.
#pragma once

#include <string>
#include <string_view>

namespace weir::inspect::apps {

/// The file name that a Content-Disposition has (RFC 6266; filename* as it stands, without its charset), or nothing.
std::string disposition_name(std::string_view value);
/// The last part of a path; the path itself if it ends in a slash.
std::string path_name(std::string_view path);

}  // namespace weir::inspect::apps
