// What the program asks of the process it runs in: signals as a question of the main loop, descriptors that can be relied on.
#pragma once

#include <cstdint>

namespace weir::cli {

/// From now on the first SIGINT or SIGTERM only sets stop_wanted() (and ends standard input, which may be waited for); a second one ends the program.
/// A reader of our output that goes away is an error of write(), not a signal.
void catch_signals();
bool stop_wanted();

/// SIGHUP and SIGUSR1 set these from now on; each call takes what came since the last.
void catch_service_signals();
bool reload_wanted();
bool reopen_wanted();

/// A key that no sender of packets knows, so that none can make the flow table's chains long.
std::uint64_t random_seed();

/// Standard input, output and error that the caller left closed lead nowhere, instead of into the next file opened.
void fill_standard_descriptors();

}  // namespace weir::cli
