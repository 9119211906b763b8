#pragma once

#include "sluice/runtime/cuda/operator.h"

#include <cstddef>
#include <string>

namespace sluice::cuda {

// An operator that a library computes, in one of several ways. One has to be selected before a run.
class LibraryOperator : public Operator {
 public:
  // How many there are, what the library thinks the best first.
  virtual std::size_t ways() const = 0;
  // Errors: unsupported: this way is none, and the one before stays.
  virtual Outcome select(std::size_t way) = 0;
  // The selected one in words that find it again in another process, of the same library on a
  // device of the same kind: "cudnn 58 2=1". Without tabs and line ends.
  virtual std::string way() const = 0;
  // Errors: unsupported: nothing that `way` could have given for this operator.
  virtual Outcome select(const std::string& way) = 0;
};

}  // namespace sluice::cuda
