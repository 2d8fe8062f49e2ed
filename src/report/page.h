// The page of --report without its data: page/page.html, page/page.css and page/page.js, made part of the program when it is built.
#pragma once

#include <string_view>

namespace weir::report {

std::string_view page_head();  ///< up to where the data go
std::string_view page_tail();

}  // namespace weir::report
