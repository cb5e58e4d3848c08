package sim

// Rival is the policy of another implementation.
type Rival struct{ Name string }
