#include "report/time_text.h"

#include <fmt/format.h>

#include <chrono>
#include <iterator>

namespace weir::report {

void append_timestamp(std::string& out, TimeNs time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> at{nanoseconds(time)};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<microseconds>(at - day)};
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+0000", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace weir::report
