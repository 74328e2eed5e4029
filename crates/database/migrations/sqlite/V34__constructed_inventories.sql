-- The inventories that a constructed inventory is made of, in the order of their ids here. Its hosts are rows of its own, with the
-- id of the original host in instance_id; its settings are those of its only source.
CREATE TABLE inventory_inputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inventory_id INTEGER NOT NULL REFERENCES inventories (id) ON DELETE CASCADE,
    input_inventory_id INTEGER NOT NULL REFERENCES inventories (id) ON DELETE CASCADE,
    UNIQUE (inventory_id, input_inventory_id)
);
CREATE INDEX inventory_inputs_input ON inventory_inputs (input_inventory_id);
