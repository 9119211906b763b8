#pragma once

#include <semaphore>
#include <string>

// A backend whose runs last for as long as the test likes.
namespace sluice::testing {

struct Hold {
  std::counting_semaphore<> started{0};  // a run has begun
  std::counting_semaphore<> may_end{0};  // one may end
};

enum class HeldRuns { kCompute, kMayWait };  // what its models say of their runs

// Registers a backend of this name for the models that held_model saves under it; returns true. Its
// runs give their inputs. REQUIRES: static initialisation; `hold` lives to the end of the program.
bool register_held_backend(const std::string& name, Hold& hold, HeldRuns runs);

// A model that no other backend knows, of pictures of 4 x 4; where it was saved.
std::string held_model(const std::string& name);

}  // namespace sluice::testing
