// A second, naive reading of a capture: every octet is put where the DSS options say it belongs, in no order at all. It shows
// that a simulated capture really holds the streams, with nothing of src/ involved but the values of src/base.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "simulation.h"

namespace weir::simulate {

struct Reference {
  std::array<std::vector<std::byte>, 2> streams;  ///< by the side that sent them; octets never seen are 0
  std::array<std::size_t, 2> missing{};
  std::vector<std::string> faults;  ///< contradicting copies, data outside of the stream
};

Reference read_naively(const Simulated& simulated);

}  // namespace weir::simulate
