#pragma once

#include <cstdint>

namespace sluice {

// A mistake that the scheduling of lanes could have. Tests make each of them on purpose, one at a
// time, and expect their checks to see it: so is it known that the checks see something. Nobody
// else sets one.
enum class LaneFault : std::uint8_t {
  kNone,
  // On the streams.
  kComputeSkipsWait,  // the kernel does not wait for the copy of its input
  kCopyOutSkipsWait,  // the copy out does not wait for the kernel
  kWaitBeforeRecord,  // the kernel waits for the event before that is recorded
  kEndBeforeCopyOut,  // the last event is recorded in front of the copy out
  kOneStream,         // the lane does everything on one stream
  // With a slot and its memory.
  kSlotFreeWhenQueued,     // the slot is given to the next work while the device uses it
  kOutputReadWhenQueued,   // results are read without asking whether they are there
  kSlotFreeBeforeCopyOut,  // the slot is given to the next work before its results are read
  kRefusedSlotFreeAtOnce,  // a slot with a launch that was refused does not wait for its copy
  kOverdueSlotFree,        // nor does one whose work is overdue
  kInputsLetGoWhenQueued,  // inputs on the device are given back while it reads them
  kMemoryFreedByCancel,    // cancelling gives memory back that the device uses
  kSlotsShareOutput,       // the slots of a lane have one output
  kOneSlotMore,            // a lane takes one piece of work too many
  kOneSlotOnly,
  kOneLaneOnly,
  // With work.
  kLastInFirstOut,
  kFreedSlotCallsNobody,  // work that waits is not started when a slot becomes free
  kCancelForgetsWaiting,
  // With failures.
  kFailureIgnored,  // of work that failed on the device
  kRefusalIgnored,  // of work that the device did not take
  kFailureSpreads,  // to what else is in the lane
  kFailureNotDelivered,
  kFailureDeliveredTwice,
  kOverdueIgnored,
  kRecoveryIgnored,      // a lane whose overdue work has ended takes no work again
  kWaitingSurvivesLoss,  // what waits is not failed when the device is lost
  kLossForgotten,        // a lost device is given work
};
constexpr LaneFault kLastLaneFault = LaneFault::kLossForgotten;

}  // namespace sluice
