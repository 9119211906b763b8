// Walks through every interleaving of a writer and a reader that share one channel, in a model of
// Host::wake and Host::run, Channel::ask_for_space and Channel::take_space_request.
//
// Each host runs on a thread with a buffer of stores that others see late, as x86 has it (TSO); an
// exchange and a fence wait until the buffer is empty. What must never be reached is a state where
// nobody can move and items are left. Mutants of the protocol show that the walk would find one.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <set>
#include <utility>
#include <vector>

namespace sluice {
namespace {

enum class Mutant {
  kNone,
  kNoFenceInAsk,      // ask_for_space reads the count before others see its request
  kNoFenceInTake,     // take_space_request reads the request before others see the count
  kNoRecheckInAsk,    // ask_for_space does not look for room again
  kForgetsSignal,     // a run goes to rest although it was woken meanwhile
  kRestsAfterSecond,  // a step that finds room at a second look goes to rest all the same
};

struct Protocol {
  std::uint8_t capacity = 1;
  std::uint8_t items = 4;
  bool wakes_each = false;   // the reader is woken for each item, as a source on a thread does
  bool looks_twice = false;  // a step tries once more before it goes to rest, as ProcessHost does
  Mutant mutant = Mutant::kNone;
};

enum Variable : std::uint8_t {
  kPublished,
  kPopped,
  kWantSpace,
  kWriterState,
  kReaderState,
  kCount
};
enum HostState : std::uint8_t { kIdle, kActive, kSignalled };
enum Thread : std::uint8_t { kWriter, kReader };

// Where a host stands in its run.
enum class At : std::uint8_t {
  kRest,
  kBegin,
  kDrain,       // writer: is there room for the item in hand?
  kRequest,     // writer: store the request
  kFence,       // both
  kRecheck,     // writer: room after all?
  kTake,        // reader
  kReadWish,    // reader
  kReadCount,   // reader
  kAnswerWish,  // reader
  kWake,        // wake the other one
  kEnd,         // of the step
};

struct Store {
  Variable variable;
  std::uint8_t value;
  auto operator<=>(const Store&) const = default;
};

struct Actor {
  At at = At::kRest;
  At after_wake = At::kEnd;
  bool scheduled = false;
  bool again = false;      // the step is to be made once more
  bool looked = false;     // writer: this step has found no room before
  std::uint8_t count = 0;  // pushed, or taken
  bool wakes = false;      // owes the other one a wake
  std::deque<Store> stores;
  auto operator<=>(const Actor&) const = default;
};

struct State {
  std::array<std::uint8_t, kCount> memory{};
  std::array<Actor, 2> actors;
  auto operator<=>(const State&) const = default;
};

class Walk {
 public:
  explicit Walk(Protocol protocol) : protocol_(protocol) {}

  // Whether a state can be reached where nobody moves and items are left.
  bool can_stand_still() {
    State start;
    start.actors[kWriter].scheduled = true;
    start.memory[kWriterState] = kSignalled;
    reach(start);
    while (!open_.empty()) {
      const State state = open_.back();
      open_.pop_back();
      const std::size_t before = moves_;
      for (const Thread thread : {kWriter, kReader}) {
        show_store(state, thread);
        move(state, thread);
      }
      if (moves_ == before && state.actors[kReader].count < protocol_.items) return true;
    }
    return false;
  }
  std::size_t states() const { return seen_.size(); }

 private:
  void reach(State state) {
    ++moves_;
    const auto [place, is_new] = seen_.insert(std::move(state));
    if (is_new) open_.push_back(*place);
  }

  void show_store(State state, Thread thread) {
    std::deque<Store>& stores = state.actors[thread].stores;
    if (stores.empty()) return;
    state.memory[stores.front().variable] = stores.front().value;
    stores.pop_front();
    reach(std::move(state));
  }

  static std::uint8_t load(const State& state, Thread thread, Variable variable) {
    std::uint8_t value = state.memory[variable];
    for (const Store& store : state.actors[thread].stores) {
      if (store.variable == variable) value = store.value;
    }
    return value;
  }

  static void wake(State& state, Variable of, Thread whom) {
    if (state.memory[of] == kIdle) state.actors[whom].scheduled = true;
    state.memory[of] = kSignalled;
  }

  // One instruction of a thread, where it has one that can run now.
  void move(State state, Thread thread) {
    Actor& self = state.actors[thread];
    const Variable own = thread == kWriter ? kWriterState : kReaderState;
    const bool flushed = self.stores.empty();
    switch (self.at) {
      case At::kRest:
        if (!self.scheduled) return;
        self.scheduled = false;
        self.at = At::kBegin;
        break;
      case At::kBegin:
        if (!flushed) return;
        state.memory[own] = kActive;
        self.again = self.looked = false;
        self.at = thread == kWriter ? At::kDrain : At::kTake;
        break;
      case At::kWake:
        if (!flushed) return;
        wake(state, thread == kWriter ? kReaderState : kWriterState,
             thread == kWriter ? kReader : kWriter);
        self.wakes = false;
        self.at = std::exchange(self.after_wake, At::kEnd);
        break;
      case At::kEnd:
        if (!flushed) return;
        end_step(state, self, own);
        break;
      default:
        if (!(thread == kWriter ? write(state, self) : read(state, self))) return;
    }
    reach(std::move(state));
  }

  // What Host::run does between two steps.
  void end_step(State& state, Actor& self, Variable own) const {
    if (self.again) {
      self.at = At::kBegin;
    } else if (state.memory[own] == kActive || protocol_.mutant == Mutant::kForgetsSignal) {
      state.memory[own] = kIdle;
      self.at = At::kRest;
    } else {
      self.at = At::kBegin;
    }
  }

  bool has_room(const State& state, const Actor& self) const {
    return self.count - load(state, kWriter, kPopped) < protocol_.capacity;
  }

  // A source's step: it pushes until there is no room, and asks to be woken then.
  bool write(State& state, Actor& self) const {
    const At rest = self.wakes ? At::kWake : At::kEnd;
    switch (self.at) {
      case At::kDrain:
        if (self.count == protocol_.items) {
          self.at = rest;
        } else if (has_room(state, self)) {
          self.stores.push_back({kPublished, ++self.count});
          self.wakes = true;
          if (self.looked) {
            self.again = protocol_.mutant != Mutant::kRestsAfterSecond;
            self.at = At::kWake;
          } else if (protocol_.wakes_each) {
            self.after_wake = At::kDrain;
            self.at = At::kWake;
          }
        } else {
          self.at = At::kRequest;
        }
        return true;
      case At::kRequest:
        self.stores.push_back({kWantSpace, 1});
        self.at = protocol_.mutant == Mutant::kNoFenceInAsk ? At::kRecheck : At::kFence;
        return true;
      case At::kFence:
        if (!self.stores.empty()) return false;
        self.at = At::kRecheck;
        return true;
      case At::kRecheck:
        if (protocol_.mutant != Mutant::kNoRecheckInAsk && has_room(state, self)) {
          self.stores.push_back({kWantSpace, 0});
          self.at = At::kDrain;
        } else if (protocol_.looks_twice && !self.looked) {
          self.looked = true;
          self.at = At::kDrain;
        } else {
          self.at = rest;
        }
        return true;
      default:
        return false;
    }
  }

  // A sink's step: it takes what there is, then answers a writer that waits for room.
  bool read(State& state, Actor& self) const {
    switch (self.at) {
      case At::kTake:
        if (self.count == load(state, kReader, kPublished)) {
          self.at = protocol_.mutant == Mutant::kNoFenceInTake ? At::kReadWish : At::kFence;
        } else {
          self.stores.push_back({kPopped, ++self.count});
        }
        return true;
      case At::kFence:
        if (!self.stores.empty()) return false;
        self.at = At::kReadWish;
        return true;
      case At::kReadWish:
        self.at = load(state, kReader, kWantSpace) != 0 ? At::kReadCount : At::kEnd;
        return true;
      case At::kReadCount: {
        const int queued = load(state, kReader, kPublished) - self.count;
        self.at = queued > protocol_.capacity / 2 ? At::kEnd : At::kAnswerWish;
        return true;
      }
      case At::kAnswerWish:
        if (!self.stores.empty()) return false;
        self.at = state.memory[kWantSpace] != 0 ? At::kWake : At::kEnd;
        state.memory[kWantSpace] = 0;
        return true;
      default:
        return false;
    }
  }

  const Protocol protocol_;
  std::set<State> seen_;
  std::vector<State> open_;
  std::size_t moves_ = 0;
};

TEST(WakeProtocol, NeverLeavesItemsWithEverybodyAtRest) {
  for (std::uint8_t capacity = 1; capacity <= 3; ++capacity) {
    for (const bool wakes_each : {false, true}) {
      for (const bool looks_twice : {false, true}) {
        Walk walk({.capacity = capacity,
                   .items = 6,
                   .wakes_each = wakes_each,
                   .looks_twice = looks_twice});

        EXPECT_FALSE(walk.can_stand_still()) << "capacity " << int{capacity};
        EXPECT_GT(walk.states(), wakes_each ? 1000u : 100u);
      }
    }
  }
}

class BrokenWakeProtocol : public ::testing::TestWithParam<Mutant> {};

TEST_P(BrokenWakeProtocol, IsFoundOut) {
  Walk walk({.capacity = 1,
             .items = 4,
             .wakes_each = true,
             .looks_twice = GetParam() == Mutant::kRestsAfterSecond,
             .mutant = GetParam()});

  EXPECT_TRUE(walk.can_stand_still());
}

INSTANTIATE_TEST_SUITE_P(Mutants, BrokenWakeProtocol,
                         ::testing::Values(Mutant::kNoFenceInAsk, Mutant::kNoFenceInTake,
                                           Mutant::kNoRecheckInAsk, Mutant::kForgetsSignal,
                                           Mutant::kRestsAfterSecond));

}  // namespace
}  // namespace sluice
